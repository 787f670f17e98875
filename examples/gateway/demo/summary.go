package demo

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// summary is the text at the end, in lines of at most 79 columns. A terminal of 24 rows shows all
// of it, with a row left for the prompt.
func (s *story) summary(ink ink) string {
	return strings.Join([]string{s.table(), s.strips(ink), wrap(s.sick()) + wrap(s.others()) + wrap(s.greed()) + wrap(s.change()) + s.bounded()}, "\n")
}

// table counts the answers by route, and compares the time until the answers before, during and
// after the sickness.
func (s *story) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-*s %7s %8s %5s %7s %6s %8s %7s %6s %6s\n", margin-1,
		"route", "answers", "2xx", "429", "refused", "failed", "upstream", "before", "during", "after")
	for i, r := range s.script.routes {
		t := s.tally(func(a answer) bool { return a.route == i })
		took := s.phases(i)
		fmt.Fprintf(&b, "%-*s %7d %8d %5d %7d %6d %8d %7s %6s %6s\n", margin-1, r.name, t.total(), t.count[answered],
			t.count[limited], t.count[refused], t.count[failed], s.tried[i],
			short(percentile(took[0], 99)), short(percentile(took[1], 99)), short(percentile(took[2], 99)))
	}
	b.WriteString("429: above the client's limit.  refused: 503, breaker open.  failed: all else.\n" +
		"upstream: requests there.  before, during, after the sickness: p99, no 429s.\n")
	return b.String()
}

// phases are the times to the answers of a route, for requests that were sent before, during and
// after the sickness.
func (s *story) phases(route int) (took [3][]time.Duration) {
	from, to := s.script.sickness()
	for _, a := range s.answers {
		if a.route != route || a.class == limited {
			continue
		}
		phase := 0
		if a.began >= to {
			phase = 2
		} else if a.began >= from {
			phase = 1
		}
		took[phase] = append(took[phase], a.took())
	}
	return took
}

// wrap breaks text into lines.
func wrap(text string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
		case column+1+utf8.RuneCountInString(word) > 79:
			b.WriteString("\n")
			column = 0
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += utf8.RuneCountInString(word)
	}
	b.WriteString("\n")
	return b.String()
}

// sick says what the breaker did about its sick upstream.
func (s *story) sick() string {
	from, to := s.script.sickness()
	patient := s.script.patient()
	name := s.script.routes[patient].name
	opened := slices.IndexFunc(s.changes, func(c change) bool { return c.route == patient && c.to == open && c.at >= from })
	switch {
	case s.at < from:
		return fmt.Sprintf("The run ended before the upstream of %s fell sick, at %gs.", name, from.Seconds())
	case opened < 0:
		return fmt.Sprintf("The upstream of %s fell sick at %gs; the breaker of %s has not opened since.", name, from.Seconds(), name)
	}
	ill := s.tally(func(a answer) bool {
		return a.route == patient && a.ended >= from && a.ended < to && a.class == refused
	})
	text := fmt.Sprintf("%s: the breaker opened %s into the sickness and refused %s; %d reached the upstream.",
		name, short(s.changes[opened].at-from), requests(ill.count[refused]), s.triedIll[patient])
	again, ok := s.closedAgain()
	switch {
	case s.at < to || ok && again < to:
		return text
	case !ok:
		return text + " The breaker did not close."
	default:
		return text + fmt.Sprintf(" The breaker closed %s after the recovery.", short(again-to))
	}
}

// others says how the routes fared whose upstreams were well.
func (s *story) others() string {
	var names []string
	var sum [classes]int
	for i, r := range s.script.routes {
		if r.sick {
			continue
		}
		names = append(names, r.name)
		for class, n := range s.tally(func(a answer) bool { return a.route == i }).count {
			sum[class] += n
		}
	}
	return fmt.Sprintf("%s: %s refused, %d failed.", strings.Join(names, " and "), requests(sum[refused]), sum[failed])
}

// greed says how many requests were limited, of the greedy client and of the others.
func (s *story) greed() string {
	c := s.script.greedy()
	own := s.tally(func(a answer) bool { return a.client == c })
	beside := s.tally(func(a answer) bool { return a.client != c })
	return fmt.Sprintf("%s: %d of %s got 429. The other clients: %d of %s.", s.script.cast[c].name,
		own.count[limited], requests(own.total()), beside.count[limited], requests(beside.total()))
}

func requests(n int) string {
	if n == 1 {
		return "1 request"
	}
	return fmt.Sprintf("%d requests", n)
}
