package demo

import (
	"fmt"
	"strings"
	"time"
)

// frame is the block that is redrawn: what the sick upstream does just now, the last window in numbers, and the strips. It has the
// same number of lines every time, of at most 79 columns.
func (s *story) frame(ink ink) string {
	var b strings.Builder
	mood := s.script.mood(s.at)
	colour := purple
	if mood == well {
		colour = green
	}
	fmt.Fprintf(&b, "%-*s The upstream of %s %s.\n\n", margin-1, fmt.Sprintf("%.1fs", s.at.Seconds()),
		s.script.routes[s.script.patient()].name, ink.paint(colour, mood.String()))

	fmt.Fprintf(&b, "%-*s %-9s %6s %6s %6s %6s %8s %8s %8s\n",
		margin-1, "route", "breaker", "req/s", "2xx", "429", "5xx", "refused", "p50", "p99")
	for i, r := range s.script.routes {
		state := s.status[i].state()
		text := state
		if left := s.status[i].OpenFor; state == open && left > 0 {
			text = fmt.Sprintf("open %.1fs", left.Seconds())
		}
		t := s.recent(i)
		fmt.Fprintf(&b, "%-*s %s %6d %6d %s %s %s %8s %8s\n", margin-1, r.name,
			ink.breaker(state, fmt.Sprintf("%-9s", text)), s.rate(s.requests(i)), s.rate(t.count[answered]),
			s.alarm(ink, yellow, 6, t.count[limited]), s.alarm(ink, red, 6, t.count[failed]), s.alarm(ink, red, 8, t.count[refused]),
			short(percentile(t.took, 50)), short(percentile(t.took, 99)))
	}
	fmt.Fprintf(&b, "%-*s The last second: req/s as sent, the rest as answered. refused: 503,\n", margin-1, "")
	fmt.Fprintf(&b, "%-*s the breaker is open. p50, p99: without the 429s.\n\n", margin-1, "")
	b.WriteString(s.strips(ink))
	return b.String()
}

// alarm is n in a second in a column of its own, with a colour unless it is 0.
func (s *story) alarm(ink ink, colour string, width, n int) string {
	text := fmt.Sprintf("%*d", width, s.rate(n))
	if n == 0 {
		return text
	}
	return ink.paint(colour, text)
}

// line is the last window in a line for those who cannot be shown a frame.
func (s *story) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%5.1fs", s.at.Seconds())
	for i, r := range s.script.routes {
		t := s.recent(i)
		fmt.Fprintf(&b, "  %s %s %d/s", r.name, s.status[i].state(), s.rate(s.requests(i)))
		var bad []string
		for _, part := range []struct {
			class class
			name  string
		}{{limited, "429"}, {failed, "failed"}, {refused, "refused"}} {
			if n := t.count[part.class]; n > 0 {
				bad = append(bad, fmt.Sprintf("%s: %d", part.name, s.rate(n)))
			}
		}
		if len(bad) > 0 {
			fmt.Fprintf(&b, " (%s)", strings.Join(bad, ", "))
		}
	}
	mood, _, _ := strings.Cut(s.script.mood(s.at).String(), ":")
	fmt.Fprintf(&b, "; upstream %s\n", mood)
	return b.String()
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
