package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/limitpal/limitpal-go/bench/record"
)

// headline is one thing to take away.
type headline struct {
	Text string
	Loss bool
}

// headlines are what a record comes to, losses first. What was not measured has none.
func (v *view) headlines() []headline {
	var all []headline
	for _, make := range []func() []headline{
		v.onCalls, v.onMessages, v.onMemory, v.onLatency, v.onWaiting, v.onOverload, v.onRefusals, v.onTowers, v.onExcess,
	} {
		all = append(all, make()...)
	}
	slices.SortStableFunc(all, func(a, b headline) int {
		switch {
		case a.Loss == b.Loss:
			return 0
		case a.Loss:
			return -1
		}
		return 1
	})
	return all
}

// where describes a load.
func where(row record.Row) string {
	title, _ := workloadText(row.Workload)
	keys, routines := "", ""
	if row.Keys != "" && row.Keys != "new" {
		keys = keysLabel(row.Keys) + map[bool]string{true: " key", false: " keys"}[row.Keys == "1"]
	}
	if row.PerCore > 0 {
		routines = plural(row.PerCore, "goroutine per core", "goroutines per core")
	}
	return joined(title, keys, routines, plural(row.Cores, "core", "cores"))
}

// wrote writes an amount as measured.
func wrote(study string, u record.Unit, amountOf float64) string {
	if u == record.BytesPerKey {
		return inBytes(amountOf)
	}
	if u == record.Goodput {
		return percent(amountOf)
	}
	m, ok := measureOf(study, u)
	if ok && (m.head == "ns" || m.scale > 1) {
		return nanos(amountOf)
	}
	if !ok {
		return amount(amountOf)
	}
	return m.write(amountOf / m.scale)
}

func (f Finding) text() string {
	return fmt.Sprintf("%s (%s: %s against %s)", times(f.Factor), where(f.Row),
		wrote(f.Row.Study, f.Unit, f.Ours.Median), wrote(f.Row.Study, f.Unit, f.Theirs.Median))
}

func (v *view) onCalls() []headline {
	t := v.tally("Calls", record.PerCall, mutex)
	var all []headline
	if t.lost > 0 {
		all = append(all, headline{fmt.Sprintf("%s is slower than %s in %d of %s, by up to %s.",
			ours, mutex, t.lost, plural(t.loads, "load of calls", "loads of calls"), t.worst.text()), true})
	}
	if t.won > 0 {
		all = append(all, headline{fmt.Sprintf("%s is faster than %s in %d of %s, by up to %s.",
			ours, mutex, t.won, plural(t.loads, "load of calls", "loads of calls"), t.best.text()), false})
	}
	if lost, loads := v.beaten(); lost > 0 {
		all = append(all, headline{fmt.Sprintf("At least one rival, a library or written by hand, is faster in %d of %s.", lost, plural(loads, "load", "loads")), true})
	}
	if level := t.loads - t.lost - t.won; level > 0 {
		all = append(all, headline{fmt.Sprintf("In %d of %s the quartiles of the two overlap.", level, plural(t.loads, "load", "loads")), false})
	}
	return all
}

// beaten counts the loads of calls in which ours was measured beside a rival, and those in which a rival was faster.
func (v *view) beaten() (lost, loads int) {
	for _, f := range strongest(v.losses()) {
		if f.Row.Study == "Calls" {
			lost++
		}
	}
	for _, row := range v.Rows(record.Row{Study: "Calls", Contender: ours}) {
		if slices.ContainsFunc(v.named(row, record.PerCall), rival) {
			loads++
		}
	}
	return lost, loads
}

// span is the range of ratios of two contenders over all loads of a workload.
func (v *view) span(workload, of, to string) (low, high float64, ok bool) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, row := range v.Rows(record.Row{Study: "Calls", Workload: workload, Contender: of}) {
		if x, measured := v.ratio(row, record.PerCall, of, to); measured {
			low, high, ok = min(low, x), max(high, x), true
		}
	}
	return low, high, ok
}

// losesIn reports whether a rival is faster in any load of a workload.
func (v *view) losesIn(workload, name string) bool {
	return slices.ContainsFunc(v.losses(), func(f Finding) bool {
		return f.Row.Study == "Calls" && f.Row.Workload == workload && f.Rival == name && f.Unit == record.PerCall
	})
}

func spanned(low, high float64) string {
	if factor(low) == factor(high) {
		return times(low)
	}
	return times(low) + " to " + times(high)
}

func (v *view) onMessages() []headline {
	var words []string
	loss := false
	for _, name := range []string{mailbox, textbook} {
		if low, high, ok := v.span("pipeline", name, mutex); ok {
			words = append(words, fmt.Sprintf("%s takes %s", name, spanned(low, high)))
			loss = loss || high > 1
		}
	}
	if len(words) == 0 {
		return nil
	}
	return []headline{{fmt.Sprintf("A decision by message has its price: %s of the time of %s for an admitted pipeline call.", listed(words), mutex), loss}}
}

// beside compares ours with a rival in one unit of a study, if their quartiles do not overlap.
func (v *view) beside(row record.Row, u record.Unit, name, text string) []headline {
	a, okA := v.median(row.Of(ours), u)
	b, okB := v.median(row.Of(name), u)
	m, ok := measureOf(row.Study, u)
	if !okA || !okB || !ok || b == 0 {
		return nil
	}
	_, lost := v.duel(row.Of(ours), name, m, true)
	_, won := v.duel(row.Of(ours), name, m, false)
	if !lost && !won {
		return nil
	}
	return []headline{{fmt.Sprintf("%s %s with %s and %s with %s (%s).", text, wrote(row.Study, u, a), ours, wrote(row.Study, u, b), name, times(a/b)), lost}}
}

func (v *view) onMemory() []headline {
	keys := v.most("Memory")
	row := v.other("Memory", "", keys)
	return append(v.beside(row, record.BytesPerKey, mutex, "One of "+keysLabel(keys)+" keys costs"),
		v.beside(row, record.Collection, mutex, "A forced collection with "+keysLabel(keys)+" keys takes")...)
}

func (v *view) onLatency() []headline {
	return v.beside(v.other("Latency", "steady", ""), record.P99, mutex, "At a steady rate 99 of 100 calls end within")
}

func (v *view) onWaiting() []headline {
	return v.beside(v.other("Waiting", "10k-callers", ""), record.LateP99, "x-time-rate", "Of 10,000 queued callers 99 of 100 get their token no later after it is due than")
}

func (v *view) onOverload() []headline {
	return v.beside(v.other("Overload", "", ""), record.Goodput, "x-time-rate", "At twice the rate, the part of the limit that reaches callers in time is")
}

func (v *view) onRefusals() []headline {
	var all []headline
	for _, w := range []string{"refused-empty", "refused-open"} {
		if low, high, ok := v.span(w, ours, mutex); ok {
			title, _ := workloadText(w)
			all = append(all, headline{fmt.Sprintf("Through %s, a call %s takes %s of the time of %s.", ours, title, spanned(low, high), mutex), v.losesIn(w, mutex)})
		}
	}
	return all
}

func (v *view) onTowers() []headline {
	var all []headline
	for _, name := range []string{tower, failsafe} {
		if low, high, ok := v.span("pipeline", ours, name); ok {
			all = append(all, headline{fmt.Sprintf("Through %s, an admitted pipeline call takes %s of the time of %s.", ours, spanned(low, high), name), v.losesIn("pipeline", name)})
		}
	}
	return all
}

func (v *view) onExcess() []headline {
	if len(v.named(v.other("Excess", "", ""), record.OfBound)) == 0 {
		return nil
	}
	return []headline{{v.saysExcess() + ".", slices.Contains(v.breaking(), ours)}}
}
