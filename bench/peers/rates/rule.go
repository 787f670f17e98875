package rates

import (
	"slices"
	"strings"
)

// Rule is a rule of a peer in place of a rule of this module.
type Rule uint

// The rules.
const (
	OwnSlices        Rule = 1 << iota // the slices of the window begin with the period, not on a grid of all breakers
	SliceOfAdmission                  // a result is in the slice in which its call was admitted, if that is in the window still
	SliceOfEnd                        // a success is in the slice of its end, however long ago its call was admitted
	TripsOnSuccess                    // a success opens the breaker too
	RoundedRate                       // the rate is rounded to whole percents
	LateResults                       // a result counts in the state that the breaker is in, not only in the period of its call
	NoMinimum                         // failures are enough by number, before there are as many calls as the window holds
	OpenInclusive                     // the last instant of the open time belongs to the open time
	NoLease                           // a probe may take any time
)

// Rules is a set of rules.
type Rules uint

func (s Rules) has(r Rule) bool { return s&Rules(r) != 0 }

// Names are the names of the rules, in the order of the constants.
var Names = []string{
	"own slices", "slice of admission", "slice of end", "trips on success", "rounded rate", "late results", "no minimum",
	"open inclusive", "no lease",
}

// All returns the rules of s.
func (s Rules) All() (all []Rule) {
	for i := range Names {
		if r := Rule(1 << i); s.has(r) {
			all = append(all, r)
		}
	}
	return all
}

func (r Rule) String() string { return Rules(r).String() }

func (s Rules) String() string {
	var names []string
	for i, name := range Names {
		if s.has(1 << i) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " + ")
}

// subsets returns the subsets of s, from small to large, and those of a size in the order of the
// rules.
func (s Rules) subsets() []Rules {
	all := []Rules{0}
	for _, r := range s.All() {
		for _, sub := range all[:len(all):len(all)] {
			all = append(all, sub|Rules(r))
		}
	}
	slices.SortStableFunc(all, func(a, b Rules) int { return len(a.All()) - len(b.All()) })
	return all
}
