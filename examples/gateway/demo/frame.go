package demo

import (
	"fmt"
	"strings"
	"time"
)

// frame is the block that is redrawn: the state of the sick upstream, the limit that changes, the
// last window in numbers, and the strips. A frame always has the same number of lines, of at most
// 79 columns.
func (s *story) frame(ink ink) string {
	var b strings.Builder
	mood := s.script.mood(s.at)
	colour := purple
	if mood == well {
		colour = green
	}
	fmt.Fprintf(&b, "%-*s The upstream of %s %s.\n", margin-1, fmt.Sprintf("%.1fs", s.at.Seconds()),
		s.script.routes[s.script.patient()].name, ink.paint(colour, mood.String()))
	b.WriteString(s.ruling(ink) + "\n")
	fmt.Fprintf(&b, "%-*s %-9s %6s %6s %6s %6s %8s %8s %8s\n",
		margin-1, "route", "breaker", "req/s", "2xx", "429", "5xx", "refused", "p50", "p99")
	for i, r := range s.script.routes {
		state, left := s.breaker(i)
		text := state
		if state == open && left > 0 {
			text = fmt.Sprintf("open %.1fs", left.Seconds())
		}
		t := s.recent(i)
		fmt.Fprintf(&b, "%-*s %s %6d %6d %s %s %s %8s %8s\n", margin-1, r.name,
			ink.breaker(state, fmt.Sprintf("%-9s", text)), s.rate(s.requests(i)), s.rate(t.count[answered]),
			s.alarm(ink, yellow, 6, t.count[limited]), s.alarm(ink, red, 6, t.count[failed]), s.alarm(ink, red, 8, t.count[refused]),
			short(percentile(t.took, 50)), short(percentile(t.took, 99)))
	}
	b.WriteString("The last second; req/s: sent.  refused: 503, breaker open.  p50, p99: no 429s.\n\n")
	b.WriteString(s.strips(ink))
	return b.String()
}

// alarm is n in a second, in a column of the given width, with a colour unless n is 0.
func (s *story) alarm(ink ink, colour string, width, n int) string {
	text := fmt.Sprintf("%*d", width, s.rate(n))
	if n == 0 {
		return text
	}
	return ink.paint(colour, text)
}

// heading stands above the lines.
func (s script) heading() string {
	name := s.routes[s.patient()].name
	text := fmt.Sprintf("%6s  %-11s  %-10s  2xx of all answers in the last second\n", "", "upstream of", "breaker of") +
		fmt.Sprintf("%6s  %-11s  %-10s", "time", name, name)
	for _, r := range s.routes {
		text += fmt.Sprintf("  %12s", r.name)
	}
	return text + "\n"
}

// line is the last window in one line below the heading, for a file or a pipe.
func (s *story) line() string {
	var b strings.Builder
	state, _ := s.breaker(s.script.patient())
	fmt.Fprintf(&b, "%5.1fs  %-11s  %-10s", s.at.Seconds(), s.script.mood(s.at).word(), state)
	for i := range s.script.routes {
		t := s.recent(i)
		fmt.Fprintf(&b, "  %12s", fmt.Sprintf("%d of %d", t.count[answered], t.total()))
	}
	return b.String() + "\n"
}

// short is d in at most three digits; "-" is no time at all.
func short(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d < 9950*time.Microsecond:
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	case d < 999500*time.Microsecond:
		return fmt.Sprintf("%.0fms", float64(d)/float64(time.Millisecond))
	default:
		return fmt.Sprintf("%.2fs", d.Seconds())
	}
}
