package rates

import "slices"

// Differ returns the first call that is decided differently, and how many are.
func Differ(a, b []bool) (first, n int) {
	first = -1
	for i := range a {
		if a[i] != b[i] {
			if n == 0 {
				first = i
			}
			n++
		}
	}
	return first, n
}

// Explain returns the fewest of rules with which the model makes the given decisions about t, up to
// the first that differs from those of the model without rules, and whether the model with all
// rules makes all of the decisions. If there is no difference, Explain returns no rules.
func Explain(t Trace, rules Rules, decisions []bool) (reason Rules, known bool) {
	if !slices.Equal(Decide(t, rules), decisions) {
		return 0, false
	}
	first, n := Differ(Decide(t, 0), decisions)
	if n == 0 {
		return 0, true
	}
	for _, sub := range rules.subsets() {
		if slices.Equal(Decide(t, sub)[:first+1], decisions[:first+1]) {
			return sub, true
		}
	}
	return rules, true // not reached: rules is one of its subsets
}
