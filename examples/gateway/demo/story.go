package demo

import (
	"slices"
	"strings"
	"time"
)

// story holds the measurements until a moment. Frames and summary are made from a story.
type story struct {
	script  script
	at      time.Duration // the moment, since the start
	begun   [][]time.Duration
	answers []answer // in the order of their ends
	changes []change // in order

	reformed *reformed // nil before the reform
	// Requests that reached the upstreams, by route: all, and those during the sickness.
	tried, triedIll []int
}

// breaker is the state of a route's breaker, and how long until an open breaker admits a probe.
func (s *story) breaker(route int) (state string, left time.Duration) {
	state = closed
	for _, c := range s.changes {
		if c.route == route {
			state, left = c.to, max(0, c.until-s.at)
		}
	}
	return state, left
}

// tally counts answers.
type tally struct {
	count [classes]int
	took  []time.Duration // without the limited, whose time says nothing of the route
}

func (t *tally) total() (n int) {
	for _, c := range t.count {
		n += c
	}
	return n
}

// tally counts the answers that keep wants.
func (s *story) tally(keep func(answer) bool) *tally {
	t := new(tally)
	for _, a := range s.answers {
		if !keep(a) {
			continue
		}
		t.count[a.class]++
		if a.class != limited {
			t.took = append(t.took, a.took())
		}
	}
	return t
}

// recent counts the answers of a route in the last window.
func (s *story) recent(route int) *tally {
	return s.tally(func(a answer) bool { return a.route == route && a.ended > s.at-s.script.window })
}

// rate converts n in the last window to a second.
func (s *story) rate(n int) int {
	window := max(time.Millisecond, min(s.script.window, s.at))
	return int((time.Duration(n)*time.Second + window/2) / window)
}

// requests is how many requests for route were sent in the last window.
func (s *story) requests(route int) int {
	n := 0
	for _, at := range slices.Backward(s.begun[route]) {
		if at <= s.at-s.script.window {
			break
		}
		n++
	}
	return n
}

// closedAgain is the time at which the breaker of the sick route closed for good, and false if the
// breaker has not opened or not closed.
func (s *story) closedAgain() (time.Duration, bool) {
	own := s.own()
	if len(own) == 0 || own[len(own)-1].to != closed {
		return 0, false
	}
	return own[len(own)-1].at, true
}

// own are the changes of the sick route's breaker.
func (s *story) own() []change {
	return slices.DeleteFunc(slices.Clone(s.changes), func(c change) bool { return c.route != s.script.patient() })
}

// look is the meaning of a character of a strip. Of several looks a strip shows the greatest, since
// the greatest is the rarest.
type look uint8

const (
	silent     look = iota // nobody was answered
	fine                   // everybody was answered
	someOver               // some got 429
	someFailed             // some failed
	isOpen                 // the breaker was open
	isProbing              // it was half-open
)

func (l look) glyph() rune { return [...]rune{'·', '─', '4', 'x', '█', '▒'}[l] }

// cells is how many characters a strip of the whole run has.
func (s *story) cells() int { return max(1, int(s.script.length/s.script.cell)) }

// cell is the character of a strip that shows the given time.
func (s *story) cell(at time.Duration) int { return min(s.cells()-1, int(max(0, at)/s.script.cell)) }

// strip draws the events on route, from the start until now.
func (s *story) strip(route int) string {
	looks := make([]look, s.cell(s.at)+1)
	show := func(from, to time.Duration, l look) {
		for c := s.cell(from); c <= s.cell(to) && c < len(looks); c++ {
			looks[c] = max(looks[c], l)
		}
	}
	for _, a := range s.answers {
		if a.route == route {
			show(a.ended, a.ended, [...]look{answered: fine, limited: someOver, refused: silent, failed: someFailed}[a.class])
		}
	}
	from, state := time.Duration(0), silent
	for _, c := range s.changes {
		if c.route == route {
			show(from, c.at, state)
			from, state = c.at, map[string]look{open: isOpen, halfOpen: isProbing}[c.to]
		}
	}
	show(from, s.at, state)
	var b strings.Builder
	for _, l := range looks {
		b.WriteRune(l.glyph())
	}
	return strings.TrimRight(b.String(), "·")
}

// moods draws the moods of the sick upstream, from the start until now.
func (s *story) moods() string {
	var b strings.Builder
	for c := range s.cell(s.at) + 1 {
		b.WriteRune(s.script.mood(time.Duration(c)*s.script.cell + s.script.cell/2).glyph())
	}
	return b.String()
}
