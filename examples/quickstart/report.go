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

// introduction says what is going to happen.
func introduction(plan schedule, length time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "LimitPal quickstart: %d tenants call one upstream through one engine,\nfor %v (seed %d). ",
		len(tenants), length, plan.seed)
	fmt.Fprintf(&b, "Each may send %d requests a second,\nand is served by a shard of the upstream of its own.\n\n", limit)
	for _, t := range tenants {
		fmt.Fprintf(&b, "  %-8s %3d calls/s   %s\n", t.name, t.rate, t.story(plan))
	}
	b.WriteString("\nBelow: each tenant's breaker (─ closed, █ open, ▒ half-open),\nand how many calls were answered.\n\n")
	return b.String()
}

// story is what awaits the tenant.
func (t tenant) story(plan schedule) string {
	switch t.trouble {
	case flaky:
		return "now and then its shard answers 503"
	case slow:
		return "now and then its shard takes 200ms longer"
	case busy:
		return "now and then its shard answers 429, come back in 1s"
	case dying:
		return fmt.Sprintf("its shard is dead %s to %s, then gives 503 to %s",
			seconds(plan.dead), seconds(plan.failing), seconds(plan.well))
	}
	if t.rate > limit {
		return "its shard is healthy, but it sends far more than it may"
	}
	return "its shard is healthy"
}

// report is what there is to say at the end of a run.
func report(plan schedule, tallies []tally, changes []change, ended time.Duration) string {
	parts := []string{counts(tallies), timeline(plan, changes, ended)}
	if list := transitions(changes); list != "" {
		parts = append(parts, list)
	}
	return "\n" + strings.Join(append(parts, verdict(plan, tallies, changes)), "\n")
}

// counts is the table of what became of the calls.
func counts(tallies []tally) string {
	rows := [][]string{{"tenant", "calls", "attempts", "ok", "limited", "refused", "failed", "p50", "p99"}}
	cut := 0
	for i, t := range tenants {
		c := &tallies[i]
		cut += c.ended[unfinished]
		rows = append(rows, []string{
			t.name, strconv.Itoa(c.calls()), strconv.Itoa(c.attempts), strconv.Itoa(c.ended[answered]),
			strconv.Itoa(c.ended[limited]), strconv.Itoa(c.ended[refused]), strconv.Itoa(c.ended[failed]),
			short(percentile(c.took, 50)), short(percentile(c.took, 99)),
		})
	}
	text := table(rows) +
		"\nlimited: over the tenant's limit.  refused: by its open breaker.\nfailed: tried, without success.\n" +
		"p50, p99: of the calls that were ok, from start to end with waits and retries.\n"
	if cut > 0 {
		text += fmt.Sprintf("Not counted: %s still under way at the end.\n", plural(cut, "call"))
	}
	return text
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

// verdict says in words what the numbers and the timeline show.
func verdict(plan schedule, tallies []tally, changes []change) string {
	var lines, others []string
	var retries, failures int
	for i, t := range tenants {
		c := &tallies[i]
		moved := slices.ContainsFunc(changes, func(c change) bool { return c.tenant == i })
		if moved {
			lines = append(lines, illness(plan, t, c.ended[refused], slices.DeleteFunc(slices.Clone(changes),
				func(c change) bool { return c.tenant != i })))
		}
		if n := c.ended[limited]; n > 0 {
			lines = append(lines, fmt.Sprintf("%s sent more than it may: %d%% of its calls were turned away,\n"+
				"the others stood in its own queue.", t.name, 100*n/c.calls()))
		}
		if !moved && c.ended[limited] == 0 {
			others = append(others, t.name)
			retries += c.attempts - c.calls()
			failures += c.ended[failed]
		}
	}
	switch {
	case len(lines) == 0:
		lines = append(lines, "So far nobody was limited and no breaker has opened.")
	case len(others) > 0:
		lines = append(lines, fmt.Sprintf("%s noticed nothing of that: 0 calls limited,\n0 refused, %d failed; "+
			"%s made up for the bad answers of their own shards.", enumerate(others), failures, plural(retries, "retry")))
	}
	return strings.Join(lines, "\n") + "\n"
}

// illness is what t's breaker did while its shard was ill; changes are its own, at least one.
func illness(plan schedule, t tenant, refused int, changes []change) string {
	probes := 0
	for _, c := range changes {
		if c.to == breaker.HalfOpen {
			probes++
		}
	}
	text := fmt.Sprintf("%s's breaker opened at %s, kept %s off the sick shard\nand sent %s; ",
		t.name, seconds(changes[0].at), plural(refused, "call"), plural(probes, "probe"))
	last := changes[len(changes)-1]
	late := last.at - plan.well
	switch {
	case last.to != breaker.Closed:
		return text + fmt.Sprintf("it is %s at the end.", last.to)
	case t.trouble == dying && late >= 0:
		return text + fmt.Sprintf("it closed %s after the shard was well.", short(late))
	default:
		return text + fmt.Sprintf("it closed at %s.", seconds(last.at))
	}
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

// seconds is a time of the run.
func seconds(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }

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
