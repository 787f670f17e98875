package report

import (
	"slices"

	"github.com/limitpal/limitpal-go/bench/record"
)

// measure is one unit as tables show it.
type measure struct {
	unit  record.Unit
	head  string // above its columns
	plain string // in sentences
	scale float64
	write func(float64) string
	ratio bool // whether cells give the ratio to the baseline
	order int  // -1: less is better; 1: more is better; 0: neither
}

// study is one kind of measurement.
type study struct {
	name     string
	title    string
	about    string
	measures []measure
	// each puts one measure in a table, because the load's conditions are its columns already.
	each bool
}

const (
	micro = 1e3
	milli = 1e6
)

// studies are all studies, in the order in which they are reported.
var studies = []study{
	{
		name: "Calls", title: "Time per call", each: true,
		about:    "Time between calls of all goroutines together.",
		measures: []measure{{unit: record.PerCall, head: "ns", plain: "time per call", scale: 1, write: amount, ratio: true, order: -1}},
	},
	{
		name: "Latency", title: "Latency",
		about: "Time from the instant at which a call was meant to start to its end, at a fixed rate. The no-op row is the share of harness and machine.",
		measures: []measure{
			{unit: record.P50, head: "p50 µs", plain: "median latency", scale: micro, write: digits, order: -1},
			{unit: record.P90, head: "p90 µs", plain: "p90 latency", scale: micro, write: digits, order: -1},
			{unit: record.P99, head: "p99 µs", plain: "p99 latency", scale: micro, write: digits, order: -1},
			{unit: record.P999, head: "p99.9 µs", plain: "p99.9 latency", scale: micro, write: digits, order: -1},
			{unit: record.P9999, head: "p99.99 µs", plain: "p99.99 latency", scale: micro, write: digits, order: -1},
			{unit: record.Max, head: "max µs", plain: "largest latency", scale: micro, write: digits},
		},
	},
	{
		name: "Waiting", title: "Waiting callers",
		about: "Grants per second as a fraction of the limit, how much later than its due instant a grant came, and how many places from its order of arrival a caller was served.",
		measures: []measure{
			{unit: record.OfRate, head: "of the rate", plain: "grants as a fraction of the limit", scale: 1, write: fraction},
			{unit: record.LateP50, head: "late p50 ms", plain: "median lateness of a grant", scale: milli, write: digits, order: -1},
			{unit: record.LateP99, head: "late p99 ms", plain: "p99 lateness of a grant", scale: milli, write: digits, order: -1},
			{unit: record.Misplaced, head: "places off", plain: "places from the order of arrival", scale: 1, write: amount, order: -1},
		},
	},
	{
		name: "Overload", title: "Overload",
		about: "Callers with deadlines ask one key for twice its rate. Goodput is grants before the caller's deadline, as a fraction of the limit; beside it, the time that a refused caller had waited for the answer.",
		measures: []measure{
			{unit: record.Goodput, head: "goodput", plain: "goodput", scale: 1, write: fraction, order: 1},
			{unit: record.RefusedP50, head: "refused p50 µs", plain: "median time to a refusal", scale: micro, write: digits, order: -1},
			{unit: record.RefusedP99, head: "refused p99 µs", plain: "p99 time to a refusal", scale: micro, write: digits, order: -1},
		},
	},
	{
		name: "Memory", title: "Memory", each: true,
		about: "The weight of a guard once every key has been used: heap and stacks per key, the key's own bytes included, goroutines, and the time of a forced garbage collection.",
		measures: []measure{
			{unit: record.BytesPerKey, head: "B per key", plain: "memory per key", scale: 1, write: amount, ratio: true, order: -1},
			{unit: record.Collection, head: "ms per collection", plain: "time of a forced collection", scale: milli, write: digits, ratio: true, order: -1},
			{unit: record.Goroutines, head: "goroutines", plain: "goroutines", scale: 1, write: amount},
		},
	},
	{
		name: "Excess", title: "Over-admission",
		about: "2,000 goroutines ask one key of 100,000 tokens a second with a burst of 1,000. Calls admitted as a multiple of capacity + rate × time: above 1 the limiter breaks its own bound.",
		measures: []measure{
			{unit: record.OfBound, head: "of the bound", plain: "calls admitted as a multiple of the bound", scale: 1, write: factor},
			{unit: record.AskedCalls, head: "calls asked", plain: "calls asked", scale: 1, write: count},
			{unit: record.AdmittedCalls, head: "calls admitted", plain: "calls admitted", scale: 1, write: count},
		},
	},
}

// allocations are shown in a table of their own, one column for every workload.
var allocations = []measure{
	{unit: record.Allocs, head: "allocs", plain: "allocations per call", scale: 1, write: amount},
	{unit: record.Bytes, head: "B", plain: "bytes allocated per call", scale: 1, write: amount},
}

// workloads are all workloads in order, with what their calls do.
var workloads = []struct{ name, title, about string }{
	{"pipeline", "admitted by the pipeline", "Retry, breaker and limiter around a function that does nothing; every call is admitted."},
	{"pipeline-unbroken", "admitted by the pipeline, goroutines never yield", "The same, by goroutines that run until the scheduler interrupts them after ten milliseconds, perhaps in the middle of a call."},
	{"limiter", "admitted by the limiter", "The limiter alone; every call is admitted."},
	{"breaker", "admitted by the breaker", "The breaker alone, closed; every call is admitted."},
	{"refused-empty", "refused by an empty bucket", "The limiter alone; the bucket is empty and every call is refused."},
	{"refused-open", "refused by an open breaker", "The pipeline, or as much as there is of it; the breaker is open and every call is refused."},
	{"churn", "a new key every call", "The pipeline, or as much as there is of it; every call brings a key that was never seen."},
	{"steady", "steady load", "All keys are healthy."},
	{"one-slow", "one key in a thousand slow", "One key in a thousand is slow; only calls of healthy keys are recorded."},
	{"10k-callers", "10,000 callers on one key", "Ten thousand callers queue for the tokens of one key, whose bucket is large enough to make up for late timers."},
	{"no-savings", "50 callers and a bucket of one", "Fifty callers queue for the tokens of one key, whose bucket holds one and cannot make up for a late timer."},
	{"twice-the-rate", "twice the rate", ""},
}

func studyPlace(name string) int {
	if i := slices.IndexFunc(studies, func(s study) bool { return s.name == name }); i >= 0 {
		return i
	}
	return len(studies)
}

func workloadPlace(name string) int {
	for i, w := range workloads {
		if w.name == name {
			return i
		}
	}
	return len(workloads)
}

// workloadText is the title and the sentence of a workload; one that is not known is its own title.
func workloadText(name string) (title, about string) {
	if i := workloadPlace(name); i < len(workloads) {
		return workloads[i].title, workloads[i].about
	}
	return name, ""
}

// measureOf is how a unit is shown in a study.
func measureOf(study string, u record.Unit) (measure, bool) {
	if i := studyPlace(study); i < len(studies) {
		for _, m := range studies[i].measures {
			if m.unit == u {
				return m, true
			}
		}
	}
	return measure{}, false
}
