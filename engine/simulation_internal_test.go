package engine

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	simulationsFlag = flag.Int("engine.simulations", simulations, "how many seeds to simulate")
	simulationFlag  = flag.Uint64("engine.simulation", 0, "the one seed to simulate, twice; 0 takes new ones")
)

// TestSimulation runs the decisions of the engine and the protocol around them in one thread, from a seed. Callers, actors and the
// supervisor go on in random order, also in the midst of each other's steps; clocks step, turns panic, calls fail, hang and are cancelled,
// keys are evicted and spilled, reset and inspected, engines are closed and replaced by others with a random configuration.
//
// Every answer is compared with naive models that know nothing of cells and generations: a bucket that is judged over all windows, in
// integers; a breaker; a queue. So every caller has exactly one answer, in its turn, and what Inspect shows is so. No cell is retired that
// is not as new, or written to after it was; no key has two actors; whoever comes back at the instant that its refusal told is let
// through; in the end everyone has come to an end, and no breaker is stuck. Some seeds are run twice, and must leave the same trace.
//
// Ten thousand seeds are 10^9 events in some 80 years, and take two minutes on two processors:
//
//	go test ./engine -run '^TestSimulation$' -engine.simulations 10000 -timeout 30m
func TestSimulation(t *testing.T) {
	s := simulation{test: t, seeds: []uint64{*simulationFlag}}
	if *simulationFlag == 0 {
		s.seeds = make([]uint64, *simulationsFlag)
		for i := range s.seeds {
			s.seeds[i] = rand.Uint64()
		}
	}
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(s.work)
	}
	wg.Wait()
	t.Attr("seeds", strconv.FormatInt(s.run.Load(), 10))
	t.Attr("replays", strconv.FormatInt(s.again.Load(), 10))
	t.Attr("events", strconv.FormatInt(s.events.Load(), 10))
	t.Attr("violations", strconv.FormatInt(s.violations.Load(), 10))
	t.Attr("simulated-years", strconv.FormatFloat(float64(s.seconds.Load())/(365*24*3600), 'f', 3, 64))
}

// simulation is many seeds and what they came to.
type simulation struct {
	test       *testing.T
	seeds      []uint64
	next       atomic.Int64
	run, again atomic.Int64
	events     atomic.Int64
	seconds    atomic.Int64
	violations atomic.Int64
}

// again is one seed in so many that is run twice.
const again = 16

// work simulates one seed after the other, until one violates something.
func (s *simulation) work() {
	w := new(world)
	w.clock = w.clockOfTurn
	for s.violations.Load() == 0 {
		i := s.next.Add(1) - 1
		if i >= int64(len(s.seeds)) {
			return
		}
		sum, violated := w.simulate(s.seeds[i])
		s.run.Add(1)
		s.events.Add(w.events)
		s.seconds.Add(w.passed / int64(time.Second))
		if violated == "" && i%again == 0 {
			s.again.Add(1)
			if other, _ := w.simulate(s.seeds[i]); other != sum {
				violated = "two runs of the seed have different traces"
			}
		}
		if violated != "" {
			s.violations.Add(1)
			s.test.Errorf("%s\n%s", violated, replay(s.seeds[i]))
		}
	}
}

// replay is the line that runs a seed again.
func replay(seed uint64) string {
	return fmt.Sprintf("replay: go test ./engine -run '^TestSimulation$' -engine.simulation=%d", seed)
}

// simulate runs a seed, and returns the sum of its trace and what was violated. Whoever is answered twice would wait for room in the
// channel for ever: then the process ends.
func (w *world) simulate(seed uint64) (sum uint64, violated string) {
	stands := time.AfterFunc(time.Minute, func() { panic("a simulation stands still; " + replay(seed)) })
	defer stands.Stop()
	defer func() {
		switch reason := recover().(type) {
		case nil:
			return
		case violation:
			violated = string(reason)
		default:
			violated = fmt.Sprintf("after %d events: panic: %v\n%s", w.events, reason, debug.Stack())
		}
		w.shut()
	}()
	w.rng.Seed(seed, 7)
	w.sum, w.events, w.passed, w.periods = 14695981039346656037, 0, 0, 0
	for i := range scenesOfSeed {
		w.open()
		w.play(int64(i+1) * eventsOfSeed / scenesOfSeed)
		w.shut()
	}
	return w.sum, ""
}
