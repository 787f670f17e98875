package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/limitpal/limitpal-go/breaker"
)

// width is the longest line in columns, for a terminal of 80.
const width = 79

// introduction says how the server is going to treat each tenant.
func introduction(plan schedule, length time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d tenants call one HTTP server through one engine, for %v.\n"+
		"Each tenant may make %d calls per second and has a breaker of its own.\n\n", len(tenants), length, limit)
	for _, t := range tenants {
		fmt.Fprintf(&b, "  %-8s %3d calls/s   %s\n", t.name, t.rate, t.story(plan))
	}
	b.WriteString("\nEach tenant's breaker (─ closed, █ open, ▒ half-open) and its answers so far:\n\n")
	return b.String()
}

// story says how the server treats the tenant.
func (t tenant) story(plan schedule) string {
	switch t.trouble {
	case flaky:
		return "a 503 now and then"
	case slow:
		return "an answer 200ms late now and then"
	case busy:
		return "a 429 now and then: come back in 1s"
	case dying:
		return fmt.Sprintf("no answer from %s to %s, then 503 to %s",
			seconds(plan.dead), seconds(plan.failing), seconds(plan.well))
	}
	if t.rate > limit {
		return "all answers good, but more calls than its limit"
	}
	return "all answers good"
}

// report is the text at the end of a run. A terminal of 24 rows shows all of it, with a row left
// for the prompt.
func report(plan schedule, tallies []tally, changes []change, ended time.Duration) string {
	return "\n" + strings.Join([]string{counts(tallies), timeline(plan, changes, ended), verdict(plan, tallies, changes)}, "\n")
}

// counts is the table of the calls that have ended.
func counts(tallies []tally) string {
	rows := [][]string{{"tenant", "calls", "ok", "limited", "refused", "failed", "requests", "p50", "p99"}}
	for i, t := range tenants {
		c := &tallies[i]
		rows = append(rows, []string{
			t.name, strconv.Itoa(c.calls()), strconv.Itoa(c.ended[answered]), strconv.Itoa(c.ended[limited]),
			strconv.Itoa(c.ended[refused]), strconv.Itoa(c.ended[failed]), strconv.Itoa(c.attempts),
			short(percentile(c.took, 50)), short(percentile(c.took, 99)),
		})
	}
	return table(rows) +
		"limited: above the tenant's limit.  refused: the tenant's breaker was open.\n" +
		"failed: no attempt succeeded.  requests: at the server, retries included.\n" +
		"p50, p99: time of the calls that were ok, waits and retries included.\n"
}

// table aligns the first column on the left and the others on the right.
func table(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			if i == 0 {
				fmt.Fprintf(&b, "%-*s", widths[0], cell)
			} else {
				fmt.Fprintf(&b, "  %*s", widths[i], cell)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// verdict sums the numbers and the timeline up in a few sentences of at most two lines.
func verdict(plan schedule, tallies []tally, changes []change) string {
	var sentences, over, opened, calm []string
	var refusals, failures, retries int
	for i, t := range tenants {
		c := &tallies[i]
		own := slices.DeleteFunc(slices.Clone(changes), func(c change) bool { return c.tenant != i })
		switch {
		case len(own) > 0 && t.trouble == dying:
			sentences = append(sentences, illness(plan, t, c.ended[refused], own))
		case len(own) > 0:
			opened = append(opened, t.name)
		}
		if n := c.ended[limited]; n > 0 {
			over = append(over, fmt.Sprintf("%d of the %d calls of %s", n, c.calls(), t.name))
		}
		if len(own) == 0 && c.ended[limited] == 0 && c.calls() > 0 {
			calm = append(calm, t.name)
			refusals += c.ended[refused]
			failures += c.ended[failed]
			retries += max(0, c.attempts-c.calls())
		}
	}
	if len(opened) > 0 {
		sentences = append(sentences, "Breakers that opened too: "+enumerate(opened)+".")
	}
	if len(over) > 0 {
		sentences = append(sentences, enumerate(over)+" were limited.")
	}
	if len(calm) > 0 {
		sentences = append(sentences, fmt.Sprintf("%s: 0 calls limited, %d refused, %d failed; %s.",
			enumerate(calm), refusals, failures, plural(retries, "retry")))
	}
	for i, s := range sentences {
		sentences[i] = wrap(s)
	}
	return strings.Join(sentences, "")
}

// illness tells the story of t's breaker while the server was dead for t. changes are the changes
// of that breaker, at least one.
func illness(plan schedule, t tenant, refused int, changes []change) string {
	probes := 0
	for _, c := range changes {
		if c.to == breaker.HalfOpen {
			probes++
		}
	}
	text := fmt.Sprintf("%s's breaker opened at %s, refused %s and let %s through; ",
		t.name, seconds(changes[0].at), plural(refused, "call"), plural(probes, "probe"))
	last := changes[len(changes)-1]
	switch late := last.at - plan.well; {
	case last.to != breaker.Closed:
		return text + fmt.Sprintf("it is %s at the end.", last.to)
	case late >= 0:
		return text + fmt.Sprintf("it closed %s after the server was well.", short(late))
	default:
		return text + fmt.Sprintf("it closed at %s.", seconds(last.at))
	}
}

// wrap breaks a sentence into lines.
func wrap(sentence string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(sentence) {
		n := utf8.RuneCountInString(word)
		switch {
		case column == 0:
		case column+1+n > width:
			b.WriteString("\n")
			column = 0
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += n
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

// seconds is a time of the run, from 100 s on in whole seconds.
func seconds(d time.Duration) string {
	if d >= 100*time.Second {
		return fmt.Sprintf("%.0fs", d.Seconds())
	}
	return fmt.Sprintf("%.2fs", d.Seconds())
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		noun = stem + "ie"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func enumerate(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
