package measure

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/record"
	"github.com/limitpal/limitpal-go/bench/workload"
)

// The load under which latency is measured: an open one, whose calls begin when they are due, whether those before have
// come back or not. What a call waits because those before it were slow is part of its latency.
const (
	latencyRate  = 100_000 // calls per second, of all sources together
	sources      = 4       // goroutines that make them, each at its own pace
	slowOneIn    = 1000    // in the workload one-slow, one key in so many
	slowCall     = 10 * time.Millisecond
	sleepBetween = 300 * time.Microsecond // a source that is early by less yields, because timers are not that exact
)

// Latency measures how long calls of the pipeline take from the instant at which they were due. With slow, the calls of one
// key in a thousand last 10 ms, and only the others are measured. histograms keeps what was seen, for all rounds.
func Latency(c contender.Contender, slow bool, cores int, d Durations, histograms *Histograms) *Trial {
	name := "steady"
	if slow {
		name = "one-slow"
	}
	row := record.Row{Study: "Latency", Workload: name, Keys: "1k", Contender: c.Name, Cores: cores}
	return &Trial{
		Group:     "latency, " + name,
		Contender: c.Name,
		Guess:     d.Latency + 10*time.Millisecond,
		Sample: func(emit func(record.Sample) error) error {
			w, _ := workload.Named("pipeline")
			p, _ := workload.PopulationNamed("1k")
			keys := workload.KeysOf(p.Size)
			g, err := w.Start(c, keys)
			if err != nil {
				return err
			}
			settle(cores)
			h, err := latencies(g, w, p.Walks(keys), slow, d.Latency)
			if err := closeAfter(g, err); err != nil {
				return err
			}
			histograms.add(row, h)
			at := func(p float64) float64 { return float64(h.ValueAtPercentile(p)) }
			return emit(record.Sample{Row: row, N: int(h.TotalCount()), Values: []record.Value{
				{Amount: at(50), Unit: record.P50}, {Amount: at(90), Unit: record.P90}, {Amount: at(99), Unit: record.P99},
				{Amount: at(99.9), Unit: record.P999}, {Amount: at(99.99), Unit: record.P9999}, {Amount: float64(h.Max()), Unit: record.Max},
			}})
		},
	}
}

func closeAfter(g contender.Guard, err error) error {
	if closing := g.Close(); err == nil {
		err = closing
	}
	return err
}

// newHistogram holds latencies from 1 ns to 10 s with three digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, int64(10*time.Second), 3) }

// latencies runs all sources for d.
func latencies(g contender.Guard, w workload.Workload, walk func(int) workload.Walk, slow bool, d time.Duration) (*hdrhistogram.Histogram, error) {
	var running sync.WaitGroup
	seen := make([]*hdrhistogram.Histogram, sources)
	errs := make([]error, sources)
	begin := time.Now().Add(time.Millisecond)
	for i := range sources {
		s := source{guard: g, call: w.Call, walk: walk(i), begin: begin, at: i, slow: slow, end: d, seen: newHistogram()}
		seen[i] = s.seen
		running.Go(func() { errs[i] = s.run() })
	}
	running.Wait()
	all := newHistogram()
	for i, h := range seen {
		if errs[i] != nil {
			return nil, errs[i]
		}
		all.Merge(h)
	}
	return all, nil
}

// source makes every sources-th call.
type source struct {
	guard contender.Guard
	call  func(contender.Guard, contender.Key) bool
	walk  workload.Walk
	begin time.Time
	at    int // the first of its calls
	slow  bool
	end   time.Duration
	seen  *hdrhistogram.Histogram
}

func (s *source) run() error {
	const interval = time.Second / latencyRate
	var aside sync.WaitGroup // the slow calls
	defer aside.Wait()
	for due := time.Duration(s.at) * interval; due < s.end; due += sources * interval {
		key := s.walk.Next()
		await(s.begin, due)
		if s.slow && key.Slot%slowOneIn == 0 {
			aside.Go(func() { _ = s.guard.Run(context.Background(), key, sleep) })
			continue
		}
		if !s.call(s.guard, key) {
			return fmt.Errorf("a call of %s went wrong", key.Name)
		}
		if err := s.seen.RecordValue(int64(time.Since(s.begin) - due)); err != nil {
			return err
		}
	}
	return nil
}

// await returns when it is due after begin, at once if that has gone by.
func await(begin time.Time, due time.Duration) {
	for {
		early := due - time.Since(begin)
		switch {
		case early <= 0:
			return
		case early > sleepBetween:
			time.Sleep(early - sleepBetween)
		default:
			runtime.Gosched()
		}
	}
}

func sleep(context.Context) error {
	time.Sleep(slowCall)
	return nil
}
