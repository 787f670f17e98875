package report_test

import (
	"bytes"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/record"
)

// synthetic is a record of every study with made-up numbers of a plausible size, the same in every run.
type synthetic struct {
	record.Results
	rounds int
}

// cost is what a pipeline call takes with one key and 32 goroutines per core, in ns.
var cost = map[string]float64{
	"no-op": 2.1, "floor": 84, "global-mutex": 350, "sharded-mutex": 310, "per-key-mutex": 290, "per-key-mutex-xsync": 275,
	"per-key-semaphore": 640, "cas-gcra": 210, "textbook-actor": 1130, "engine-mailbox": 1650, "engine-published": 150,
	"engine-handle": 126, "x-time-rate": 240, "uber-ratelimit": 95, "go-limiter": 330, "throttled": 460, "gobreaker": 380,
	"failsafe-go": 4000, "tower": 1000,
}

// full is a record of everything, which must not be changed.
var full = sync.OnceValue(makeFull)

func makeFull() *record.Results {
	s := &synthetic{rounds: 10}
	s.Settings = []record.Setting{
		{Key: "goos", Value: "linux"}, {Key: "goarch", Value: "amd64"}, {Key: "cpu", Value: "Synthetic CPU @ 2.60GHz"},
		{Key: "go", Value: "go1.26.8"}, {Key: "commit", Value: "0123456"}, {Key: "date", Value: "2026-11-23"},
		{Key: "mode", Value: "full"}, {Key: "rounds", Value: "10"}, {Key: "machine-cores", Value: "2"},
	}
	s.calls()
	s.others()
	return &s.Results
}

// minimal is a record of one row.
func minimal() *record.Results {
	r := &record.Results{}
	row := record.Row{Study: "Calls", Workload: "pipeline", Keys: "1", PerCore: 1, Contender: "per-key-mutex", Cores: 1}
	r.Add(record.Sample{Row: row, N: 1, Values: []record.Value{{Amount: 64, Unit: record.PerCall}}})
	return r
}

// planted is a record of one load in which the medians of some contenders are given, and samples within a tenth of them.
func planted(medians map[string]float64) *record.Results {
	r := &record.Results{}
	for name, m := range medians {
		row := record.Row{Study: "Calls", Workload: "pipeline", Keys: "1k", PerCore: 32, Contender: name, Cores: 2}
		for _, f := range []float64{0.9, 0.95, 1, 1.05, 1.1} {
			r.Add(record.Sample{Row: row, N: 1, Values: []record.Value{{Amount: f * m, Unit: record.PerCall}}})
		}
	}
	return r
}

func (s *synthetic) add(row record.Row, values ...record.Value) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(row.String()))
	random := rand.New(rand.NewPCG(h.Sum64(), 1))
	for range s.rounds {
		noisy := record.Sample{Row: row, N: 1000}
		for _, v := range values {
			if v.Unit != record.Allocs && v.Unit != record.Bytes && v.Unit != record.Goroutines {
				v.Amount *= 1 + 0.06*random.NormFloat64()*random.Float64()
			}
			noisy.Values = append(noisy.Values, v)
		}
		s.Add(noisy)
	}
}

func (s *synthetic) calls() {
	ofKeys := map[string]float64{"1": 1, "1k": 1.1, "zipf10k": 1.4, "100k": 3.2, "zipf1M": 2.9, "1M": 5.1, "new": 8}
	ofMutex := map[string]float64{"1": 1, "1k": 0.25, "zipf10k": 0.4, "100k": 1.3, "zipf1M": 1.2, "1M": 2.2, "new": 4}
	for _, w := range []struct {
		name  string
		needs contender.Capability
		part  float64
	}{
		{"pipeline", contender.Pipeline, 1}, {"limiter", contender.Limits, 0.7}, {"breaker", contender.Breaks, 0.6},
		{"refused-empty", contender.Limits | contender.Refuses, 0.3}, {"refused-open", contender.Breaks, 0.25}, {"churn", contender.Limits, 1},
	} {
		for keys, f := range ofKeys {
			if (keys == "new") != (w.name == "churn") {
				continue
			}
			for _, perCore := range []int{1, 32, 512} {
				if w.name == "churn" && perCore > 1 {
					continue
				}
				for _, cores := range []int{1, 2} {
					for _, c := range contender.All() {
						if !c.Does.Has(w.needs) && c.Kind != contender.Baseline {
							continue
						}
						k := f
						if c.Kind == contender.Model {
							k = ofMutex[keys] * math.Pow(float64(perCore)/32, 0.12)
						}
						ns := cost[c.Name] * w.part * k * map[int]float64{1: 1.3, 2: 1}[cores]
						s.add(record.Row{Study: "Calls", Workload: w.name, Keys: keys, PerCore: perCore, Contender: c.Name, Cores: cores},
							record.Value{Amount: ns, Unit: record.PerCall},
							record.Value{Amount: math.Floor(ns / 500), Unit: record.Allocs}, record.Value{Amount: 48 * math.Floor(ns/500), Unit: record.Bytes})
					}
				}
			}
		}
	}
}

func (s *synthetic) others() {
	for _, c := range contender.All() {
		ns := cost[c.Name]
		row := record.Row{Contender: c.Name, Cores: 2}
		if c.Does.Has(contender.Pipeline) || c.Name == "no-op" {
			for _, w := range []string{"steady", "one-slow"} {
				row.Study, row.Workload, row.Keys = "Latency", w, "1k"
				s.add(row, record.Value{Amount: 300 + ns, Unit: record.P50}, record.Value{Amount: 2*ns + 700, Unit: record.P90},
					record.Value{Amount: 5*ns + 9000, Unit: record.P99}, record.Value{Amount: 40*ns + 900e3, Unit: record.P999},
					record.Value{Amount: 80*ns + 4e6, Unit: record.P9999}, record.Value{Amount: 90*ns + 9e6, Unit: record.Max})
			}
		}
		if c.Does.Has(contender.Waits) {
			row.Study, row.Workload, row.Keys = "Waiting", "10k-callers", "1"
			s.add(row, record.Value{Amount: 0.998, Unit: record.OfRate}, record.Value{Amount: 400 * ns, Unit: record.LateP50},
				record.Value{Amount: 9000 * ns, Unit: record.LateP99}, record.Value{Amount: ns / 100, Unit: record.Misplaced})
			row.Workload = "no-savings"
			s.add(row, record.Value{Amount: 0.8, Unit: record.OfRate}, record.Value{Amount: 1e5 + 400*ns, Unit: record.LateP50},
				record.Value{Amount: 1e6 + 9000*ns, Unit: record.LateP99}, record.Value{Amount: 0, Unit: record.Misplaced})
			row.Study, row.Workload = "Overload", "twice-the-rate"
			s.add(row, record.Value{Amount: 1 - ns/9000, Unit: record.Goodput}, record.Value{Amount: 8 * ns, Unit: record.RefusedP50},
				record.Value{Amount: 70 * ns, Unit: record.RefusedP99})
		}
		if c.Does.Has(contender.Limits) {
			for _, keys := range []string{"10k", "100k", "1M"} {
				row.Study, row.Workload, row.Keys = "Memory", "", keys
				n := map[string]float64{"10k": 1e4, "100k": 1e5, "1M": 1e6}[keys]
				actors := 0.0
				if c.Name == "textbook-actor" || c.Name == "engine-mailbox" {
					actors = n
				}
				s.add(row, record.Value{Amount: 60 + ns/4 + 2500*actors/n, Unit: record.BytesPerKey}, record.Value{Amount: actors, Unit: record.Goroutines},
					record.Value{Amount: 2e5 + n*ns/30, Unit: record.Collection})
			}
		}
		if c.Does.Has(contender.Limits | contender.Refuses) {
			row.Study, row.Workload, row.Keys = "Excess", "", ""
			of := 0.99
			switch c.Name {
			case "x-time-rate":
				of = 17.3
			case "tower":
				of = 11.9
			}
			s.add(row, record.Value{Amount: of, Unit: record.OfBound}, record.Value{Amount: 4e6, Unit: record.AskedCalls},
				record.Value{Amount: 1.01e5 * of, Unit: record.AdmittedCalls})
		}
	}
}

// written is a record as its raw file.
func written(t *testing.T, r *record.Results) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := record.NewWriter(&b, r.Settings)
	require.NoError(t, err)
	for _, row := range r.Rows(record.Row{}) {
		units := r.Units(row)
		for i := range r.Amounts(row, units[0]) {
			s := record.Sample{Row: row, N: 1}
			for _, u := range units {
				s.Values = append(s.Values, record.Value{Amount: r.Amounts(row, u)[i], Unit: u})
			}
			require.NoError(t, w.Write(s))
		}
	}
	return b.Bytes()
}
