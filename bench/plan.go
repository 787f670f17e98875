package main

import (
	"errors"
	"slices"
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/measure"
	"github.com/limitpal/limitpal-go/bench/workload"
)

// workloadNames are what -workload knows, in the order in which they are measured.
var workloadNames = []string{
	"pipeline", "pipeline-unbroken", "limiter", "breaker", "refused-empty", "refused-open", "churn", "latency", "waiting", "overload", "memory", "excess",
}

// scope is how much of everything is measured.
type scope struct {
	perCore      []int      // of the pipeline
	perCoreOther []int      // of the other calls
	pipeline     [][]string // populations of the pipeline; those of one set have the same keys
	populations  [][]string // of the other calls
	memory       []measuredMemory
	queues       []measure.Queue
	excess       int // rounds of over-admission; it differs by factors, not by hundredths
	measure.Durations
}

// measuredMemory is with how many keys, in how many rounds and with how many forced collections in each memory is measured.
// Bytes and goroutines hardly differ from round to round.
type measuredMemory struct{ keys, rounds, collections int }

// queues are fast enough for a run to end soon. What the first bucket saves makes up for timers that are late by two
// milliseconds, the second saves nothing.
var queues = []measure.Queue{
	{Name: "10k-callers", Callers: 10_000, Rate: 100_000, Capacity: 200},
	{Name: "no-savings", Callers: 50, Rate: 5_000, Capacity: 1},
}

var (
	quick = scope{
		perCore:      []int{1, 32},
		perCoreOther: []int{32},
		pipeline:     [][]string{{"1"}, {"own"}, {"1k"}},
		populations:  [][]string{{"1"}, {"1k"}},
		memory:       []measuredMemory{{10_000, 2, 5}},
		queues:       queues,
		excess:       2,
		Durations: measure.Durations{
			Calls: 12 * time.Millisecond, Warm: 4 * time.Millisecond, Latency: 30 * time.Millisecond, Load: 30 * time.Millisecond,
		},
	}
	full = scope{
		perCore:      []int{1, 32, 512},
		perCoreOther: []int{1, 32},
		pipeline:     [][]string{{"1"}, {"own"}, {"1k"}, {"zipf10k"}, {"100k"}, {"1M", "zipf1M"}},
		populations:  [][]string{{"1"}, {"1k"}, {"zipf10k"}},
		memory:       []measuredMemory{{10_000, 2, 5}, {100_000, 2, 5}, {1_000_000, 1, 10}},
		queues:       queues,
		Durations: measure.Durations{
			Calls: 14 * time.Millisecond, Warm: 2 * time.Millisecond, Latency: 60 * time.Millisecond, Load: 100 * time.Millisecond,
		},
	}
)

// plan lists the trials, and where their latencies are collected.
func (o options) plan() ([]*measure.Trial, *measure.Histograms, error) {
	s := quick
	if o.full {
		s = full
	}
	histograms := &measure.Histograms{}
	var trials []*measure.Trial
	for _, name := range workloadNames {
		if len(o.workloads) == 0 || slices.Contains(o.workloads, name) {
			trials = append(trials, o.trials(name, s, histograms)...)
		}
	}
	if len(trials) == 0 {
		return nil, nil, errors.New("no contender that was chosen can do any workload that was chosen")
	}
	return trials, histograms, nil
}

// trials are those of one workload.
func (o options) trials(name string, s scope, histograms *measure.Histograms) []*measure.Trial {
	most := slices.Max(o.cores)
	cond := measure.Conditions{PerCore: s.perCore, Cores: o.cores, Durations: s.Durations}
	pipeline := func(c contender.Contender) bool {
		return c.Does.Has(contender.Pipeline) || c.Kind == contender.Baseline
	}
	switch name {
	case "churn":
		cond.PerCore = []int{1}
		return o.each(func(c contender.Contender) bool { return pipeline(c) && !c.KnownKeys },
			func(c contender.Contender) *measure.Trial { return measure.Churn(c, cond) })
	case "latency":
		steady := o.each(pipeline, func(c contender.Contender) *measure.Trial {
			return measure.Latency(c, false, most, s.Durations, histograms)
		})
		slow := o.each(pipeline, func(c contender.Contender) *measure.Trial {
			return measure.Latency(c, true, most, s.Durations, histograms)
		})
		return append(steady, slow...)
	case "waiting":
		var trials []*measure.Trial
		for _, q := range s.queues {
			trials = append(trials, o.each(can(contender.Waits), func(c contender.Contender) *measure.Trial { return measure.Waiting(c, q, most) })...)
		}
		return trials
	case "overload":
		return o.each(can(contender.Waits), func(c contender.Contender) *measure.Trial { return measure.Overload(c, most, s.Durations) })
	case "excess":
		return o.each(can(contender.Limits|contender.Refuses), func(c contender.Contender) *measure.Trial { return measure.Excess(c, most, s.excess, s.Durations) })
	case "memory":
		var trials []*measure.Trial
		for _, m := range s.memory {
			trials = append(trials, o.each(func(c contender.Contender) bool { return !c.KnownKeys && c.Name != "no-op" },
				func(c contender.Contender) *measure.Trial {
					return measure.Memory(c, m.keys, most, m.rounds, m.collections)
				})...)
		}
		return trials
	default:
		w, _ := workload.Named(name)
		sets := s.pipeline
		if name != "pipeline" {
			sets, cond.PerCore, cond.Cores = s.populations, s.perCoreOther, []int{most}
		}
		if w.Unbroken { // where goroutines meet
			sets, cond.PerCore = [][]string{{"1"}}, slices.DeleteFunc(slices.Clone(s.perCore), func(n int) bool { return n == 1 })
		}
		var trials []*measure.Trial
		for _, set := range sets {
			trials = append(trials, o.calls(w, set, cond)...)
		}
		return trials
	}
}

// million is the number of keys at which not everybody can be measured as often.
const million = 1_000_000

// calls are the trials of a workload with one set of populations. With a million keys, contenders that are heavy take part
// in three rounds if they can at all, and all on as many cores as there are, with few goroutines.
func (o options) calls(w workload.Workload, set []string, cond measure.Conditions) []*measure.Trial {
	var populations []workload.Population
	for _, name := range set {
		p, _ := workload.PopulationNamed(name)
		populations = append(populations, p)
	}
	many := populations[0].Size >= million
	if many {
		cond.PerCore, cond.Cores = []int{1, 32}, []int{slices.Max(cond.Cores)}
	}
	if set[0] != "1" && set[0] != "1k" {
		cond.Cores = []int{slices.Max(cond.Cores)}
	}
	takes := func(c contender.Contender) bool { return w.Takes(c) && !(many && c.Heavy && c.Kind != contender.Peer) }
	return o.each(takes, func(c contender.Contender) *measure.Trial {
		rounds := 0
		if many && c.Heavy {
			rounds = 3
		}
		return measure.Calls(w, c, populations, cond, rounds)
	})
}

// each makes a trial for each contender that takes part.
func (o options) each(takes func(contender.Contender) bool, trial func(contender.Contender) *measure.Trial) []*measure.Trial {
	var trials []*measure.Trial
	for _, c := range o.contenders {
		if takes(c) {
			trials = append(trials, trial(c))
		}
	}
	return trials
}

func can(what contender.Capability) func(contender.Contender) bool {
	return func(c contender.Contender) bool { return c.Does.Has(what) }
}
