package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/record"
)

// The messages of charts say in a sentence what the numbers are, so that they cannot be at odds with the picture.

// against compares ours with the rivals that were measured under a load: "0.52× per-key-mutex and 3.1× floor".
func (v *view) against(row record.Row, u record.Unit, rivals ...string) string {
	var words []string
	for _, name := range rivals {
		if x, ok := v.ratio(row, u, ours, name); ok {
			words = append(words, times(x)+" "+name)
		}
	}
	return listed(words)
}

// cheapest names the first of a ranking, for records without ours.
func (v *view) cheapest(row record.Row, u record.Unit, write func(float64) string) string {
	names := v.named(row, u)
	if len(names) == 0 {
		return ""
	}
	ns, _ := v.median(row.Of(names[0]), u)
	return fmt.Sprintf("The least is %s with %s", names[0], write(ns))
}

func (v *view) saysHot() string {
	row := v.call("pipeline", "1")
	ns, ok := v.median(row.Of(ours), record.PerCall)
	if !ok {
		return "One key that all goroutines want: " + v.cheapest(row, record.PerCall, nanos)
	}
	text := fmt.Sprintf("One key that %s want: a call through %s takes %s",
		plural(v.many*v.cores, "goroutine", "goroutines"), ours, nanos(ns))
	if rest := v.against(row, record.PerCall, mutex, textbook, floor); rest != "" {
		text += ", " + rest
	}
	return text
}

// fromTo tells how a contender's cost moves between two loads.
func (v *view) fromTo(name string, from, to record.Row) string {
	a, okA := v.median(from.Of(name), record.PerCall)
	b, okB := v.median(to.Of(name), record.PerCall)
	if !okA || !okB {
		return ""
	}
	if nanos(a) == nanos(b) {
		return fmt.Sprintf("%s stays at %s", name, nanos(a))
	}
	return fmt.Sprintf("%s goes from %s to %s", name, nanos(a), nanos(b))
}

func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

func (v *view) saysKeys() string {
	var keys []string
	for _, k := range v.keysOf(v.call("pipeline", "")) {
		if _, ok := population(k); ok {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return ""
	}
	first, last := keys[0], keys[len(keys)-1]
	from, to := v.call("pipeline", first), v.call("pipeline", last)
	return joined(fmt.Sprintf("From %s to %s keys", keysLabel(first), keysLabel(last)),
		v.fromTo(ours, from, to), v.fromTo(mutex, from, to), v.fromTo(textbook, from, to))
}

func (v *view) saysGoroutines() string {
	from, to := v.call("pipeline", "1"), v.call("pipeline", "1")
	like := from
	like.PerCore = 0
	steps := v.perCoreOf(like)
	if len(steps) == 0 {
		return ""
	}
	from.PerCore, to.PerCore = steps[0], steps[len(steps)-1]
	return joined(fmt.Sprintf("From %d to %s on one key", from.PerCore, plural(to.PerCore, "goroutine per core", "goroutines per core")),
		v.fromTo(ours, from, to), v.fromTo(mutex, from, to), v.fromTo(mailbox, from, to))
}

func (v *view) saysRefused(workload string) string {
	row := v.call(workload, "1")
	subject := map[string]string{"refused-empty": "An empty bucket", "refused-open": "An open breaker"}[workload]
	ns, ok := v.median(row.Of(ours), record.PerCall)
	if !ok {
		return subject + " refuses: " + v.cheapest(row, record.PerCall, nanos)
	}
	text := fmt.Sprintf("%s refuses in %s through %s", subject, nanos(ns), ours)
	peers := map[string][]string{"refused-empty": {mutex, "x-time-rate", failsafe}, "refused-open": {mutex, "gobreaker", failsafe}}[workload]
	if rest := v.against(row, record.PerCall, peers...); rest != "" {
		text += ", " + rest
	}
	return text
}

func (v *view) saysLatency(workload string) string {
	row := v.other("Latency", workload, "")
	var words []string
	for _, name := range []string{ours, mutex, textbook, noOp} {
		if ns, ok := v.median(row.Of(name), record.P999); ok {
			words = append(words, nanos(ns)+" through "+name)
		}
	}
	title, _ := workloadText(workload)
	if len(words) == 0 {
		return "Latency, " + title
	}
	return fmt.Sprintf("Latency, %s: 999 of 1,000 calls end within %s", title, listed(words))
}

// memoryCharts are the charts of the Memory study.
var memoryCharts = []struct {
	name    string
	unit    record.Unit
	caption string
}{
	{"memory", record.BytesPerKey, "Heap and stacks after every key was used once, per key; median and quartiles. Logarithmic axis."},
	{"collection", record.Collection, "Time of a forced garbage collection after every key was used once; median and quartiles. Logarithmic axis."},
}

func (v *view) saysMemory(u record.Unit) string {
	keys := v.most("Memory")
	row := v.other("Memory", "", keys)
	write := map[record.Unit]func(float64) string{record.BytesPerKey: inBytes, record.Collection: nanos}[u]
	var words []string
	for _, name := range []string{ours, mutex, textbook, failsafe} {
		if x, ok := v.median(row.Of(name), u); ok {
			words = append(words, write(x)+" with "+name)
		}
	}
	if len(words) == 0 {
		words = append(words, v.cheapest(row, u, write))
	}
	if u == record.Collection {
		return fmt.Sprintf("Garbage collection with %s keys takes %s", keysLabel(keys), listed(words))
	}
	return fmt.Sprintf("One of %s keys costs %s", keysLabel(keys), listed(words))
}

// breaking are the contenders that admitted more than their bound in any round, worst first. A factor that two decimals
// cannot tell from 1 is not held against anyone.
func (v *view) breaking() []string {
	row := v.other("Excess", "", "")
	names := slices.DeleteFunc(v.named(row, record.OfBound), func(name string) bool { return v.worst(row, name) < 1.005 })
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(v.worst(row, b), v.worst(row, a)) })
	return names
}

// worst is the highest factor of all rounds.
func (v *view) worst(row record.Row, name string) float64 {
	return slices.Max(v.Amounts(row.Of(name), record.OfBound))
}

func (v *view) saysExcess() string {
	row := v.other("Excess", "", "")
	all := len(v.named(row, record.OfBound))
	var words []string
	for _, name := range v.breaking() {
		x, _ := v.median(row.Of(name), record.OfBound)
		words = append(words, fmt.Sprintf("%s %s of it (%s in the worst round)", name, times(x), times(v.worst(row, name))))
	}
	limiters := plural(all, "limiter", "limiters")
	if len(words) == 0 {
		return fmt.Sprintf("None of %s admitted more than its bound under contention in this record", limiters)
	}
	return fmt.Sprintf("%d of %s can admit more than the bound under contention: %s", len(words), limiters, listed(words))
}

func (v *view) saysLateness() string {
	row := v.other("Waiting", "10k-callers", "")
	var words []string
	for _, name := range v.named(row, record.LateP99) {
		if name == ours || name == "x-time-rate" || name == "uber-ratelimit" {
			ns, _ := v.median(row.Of(name), record.LateP99)
			words = append(words, nanos(ns)+" with "+name)
		}
	}
	if len(words) == 0 {
		return "Lateness of grants: " + v.cheapest(row, record.LateP99, nanos)
	}
	return "How late 99 of 100 queued callers get their token at the most: " + listed(words)
}

func (v *view) saysGoodput() string {
	row := v.other("Overload", "", "")
	names := v.named(row, record.Goodput)
	slices.Reverse(names)
	var words []string
	for _, name := range names {
		if x, _ := v.median(row.Of(name), record.Goodput); name == ours || name == mailbox || find(name).Kind == contender.Peer {
			words = append(words, percent(x)+" with "+name)
		}
	}
	return "At twice the rate, the part of the limit that reaches callers in time is " + listed(words)
}

func (v *view) saysProjection() string {
	text := fmt.Sprintf("Projected to %d cores, not measured: one key", projected)
	for i, name := range []string{ours, mutex} {
		if p, err := v.overCores("1", name); err == nil {
			text += []string{" allows ", ", and "}[i] + p.at(projected) + " million calls a second with " + name
		}
	}
	return text
}
