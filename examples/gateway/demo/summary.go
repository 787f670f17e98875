package demo

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// summary is what there is to say at the end, in lines of at most 79 columns.
func (s *story) summary(ink ink) string {
	parts := []string{s.table(), s.strips(ink)}
	if figures := s.healthy() + s.back(); figures != "" {
		parts = append(parts, figures)
	}
	return strings.Join(append(parts, wrap(s.sick())+wrap(s.others())+wrap(s.greed())), "\n")
}

// table is what became of the requests, by route.
func (s *story) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-*s %8s %8s %6s %7s %6s %7s %7s %8s\n",
		margin-1, "route", "requests", "answered", "429", "refused", "failed", "p50", "p99", "upstream")
	cut := 0
	for i, r := range s.script.routes {
		t := s.tally(func(a answer) bool { return a.route == i })
		cut += len(s.begun[i]) - t.total()
		fmt.Fprintf(&b, "%-*s %8d %8d %6d %7d %6d %7s %7s %8d\n", margin-1, r.name, t.total(), t.count[answered],
			t.count[limited], t.count[refused], t.count[failed], short(percentile(t.took, 50)), short(percentile(t.took, 99)), s.tried[i])
	}
	fmt.Fprintf(&b, "429: over the client's limit.  refused: 503, since the breaker is open.\n"+
		"failed: any other answer, or none.  p50, p99: without the 429s.\n"+
		"upstream: requests that reached it, retries and probes among them.\n"+
		"The gateway itself counted %d requests: %d limited, %d unavailable, %d failed.\n"+
		"It counts a request as failed that its upstream failed, even if it was the open\n"+
		"breaker that ended the retries and the client got a 503: refused, up here.\n",
		s.counted.Requests, s.counted.Limited, s.counted.Unavailable, s.counted.Failed)
	if cut > 0 {
		fmt.Fprintf(&b, "Not counted: %s under way at the end.\n", plural(cut, "request"))
	}
	return b.String()
}

// phases are the times that the requests of a route took which were sent before the sickness, during it and after it.
func (s *story) phases(route int) (took [3][]time.Duration) {
	for _, a := range s.answers {
		if a.route == route && a.class != limited {
			p := s.phase(a.began)
			took[p] = append(took[p], a.took())
		}
	}
	return took
}

// phase is 0 before the sickness, 1 during it and 2 after it.
func (s *story) phase(at time.Duration) int {
	from, to := s.script.sickness()
	switch {
	case at < from:
		return 0
	case at < to:
		return 1
	default:
		return 2
	}
}

// healthy compares the routes that were well before the sickness, during it and after it, beside what the machine does by itself.
func (s *story) healthy() string {
	var b strings.Builder
	row := func(name string, took [3][]time.Duration, note string) {
		fmt.Fprintf(&b, "%-*s %7s %7s %7s   %s\n", margin-1, name,
			short(percentile(took[0], 99)), short(percentile(took[1], 99)), short(percentile(took[2], 99)), note)
	}
	fmt.Fprintf(&b, "p99 before, during and after the sickness of %s:\n", s.script.routes[s.script.patient()].name)
	for i, r := range s.script.routes {
		if r.sick {
			continue
		}
		took := s.phases(i)
		if len(took[0]) == 0 || len(took[1]) == 0 {
			return ""
		}
		row(r.name, took, fmt.Sprintf("of %d, %d and %s", len(took[0]), len(took[1]), plural(len(took[2]), "request")))
	}
	var late [3][]time.Duration
	for _, w := range s.waits {
		p := s.phase(w.at)
		late[p] = append(late[p], w.late)
	}
	row("machine", late, fmt.Sprintf("how late a %v timer of the demo was", pace))
	return b.String()
}

// back says how long after its recovery the sick route was let back in.
func (s *story) back() string {
	_, to := s.script.sickness()
	name := s.script.routes[s.script.patient()].name
	again, ok := s.closedAgain()
	switch {
	case len(s.own()) == 0 || s.at < to || ok && again < to:
		return ""
	case !ok:
		return fmt.Sprintf("%s was not let back in before the end.\n", name)
	default:
		return fmt.Sprintf("%s was let back in %s after its upstream was well again.\n", name, short(again-to))
	}
}

// wrap breaks a sentence into lines.
func wrap(sentence string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(sentence) {
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

// sick is what the breaker did while its upstream was sick.
func (s *story) sick() string {
	from, to := s.script.sickness()
	patient := s.script.patient()
	name := s.script.routes[patient].name
	if s.at < from {
		return fmt.Sprintf("It ended before %s fell sick, at %gs.", name, from.Seconds())
	}
	opened := slices.IndexFunc(s.changes, func(c change) bool { return c.route == patient && c.to == open && c.at >= from })
	if opened < 0 {
		return fmt.Sprintf("%s fell sick at %gs, and its breaker has not opened since.", name, from.Seconds())
	}
	ill := s.tally(func(a answer) bool {
		return a.route == patient && a.ended >= from && a.ended < to && a.class == refused
	})
	text := fmt.Sprintf("%s: its breaker opened %s after the sickness began and refused %s until it ended",
		name, short(s.changes[opened].at-from), plural(len(ill.took), "request"))
	if len(ill.took) > 1 {
		text += fmt.Sprintf(", half of them within %s", short(percentile(ill.took, 50)))
	}
	return text + fmt.Sprintf("; the sick upstream had to bear %s.", plural(s.triedIll[patient], "attempt"))
}

// others is whether the healthy routes noticed.
func (s *story) others() string {
	var names, ratios []string
	harmed := 0
	for i, r := range s.script.routes {
		if r.sick {
			continue
		}
		names = append(names, r.name)
		t := s.tally(func(a answer) bool { return a.route == i })
		harmed += t.count[refused] + t.count[failed]
		if took := s.phases(i); len(took[0]) > 0 && len(took[1]) > 0 {
			ratios = append(ratios, fmt.Sprintf("%.2f", float64(percentile(took[1], 99))/float64(percentile(took[0], 99))))
		}
	}
	text := fmt.Sprintf("%s: %d of their requests failed or were refused", strings.Join(names, " and "), harmed)
	if len(ratios) == len(names) {
		text += fmt.Sprintf("; their p99 during the sickness was %s times that before it", strings.Join(ratios, " and "))
	}
	return text + "."
}

// greed is what became of the greedy client, and of those beside it.
func (s *story) greed() string {
	for c, who := range s.script.cast {
		if !who.greedy() {
			continue
		}
		own := s.tally(func(a answer) bool { return a.client == c })
		beside := s.tally(func(a answer) bool { return a.client != c })
		return fmt.Sprintf("%s asked for more than its limit: %d of its %s got 429, and %d of the %s of the others.",
			who.name, own.count[limited], plural(own.total(), "request"), beside.count[limited], plural(beside.total(), "request"))
	}
	return ""
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
