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
	simulationFirst = flag.Uint64("engine.simulation.first", 0, "if not 0, simulate the seeds from this one on")
)

// TestSimulation runs the shipped engine in one thread, from a seed: the pipeline, the guard, the
// actors with their registry and eviction. Callers are coroutines, actors and supervisor take
// steps, all in random order and in the midst of each other's steps. Clocks step, turns panic,
// calls fail, hang and are cancelled, keys are evicted, spilled, reset and inspected, and engines
// are closed and replaced by others with a random configuration. In one scene of four there are two
// or three engines, and most calls go through a chain of their keys; one of the engines may be closed
// before the others. In one scene of three the limits, the breaker and the bounds of the queues change
// while callers call.
//
// Every answer is compared with naive models that know nothing of cells and generations: a bucket
// that is judged over all windows, in integers; a breaker, with a list of the calls in its window; a
// queue. So every caller gets exactly one answer, in its turn, and Inspect shows the truth. No cell is
// retired that is not clean, or written to after it was; no key has two actors; a caller that comes
// back at the instant that its refusal told is admitted; in the end every caller has come to an end,
// and no breaker is stuck. Some seeds are run twice, and must leave the same trace.
//
// A breaker by rate opens with the failure or the slow call that makes the share too large, and never
// else. A success that no actor hears of is in the window, once, in the newest slice; every call that
// is let through begins a slice. A call is slow exactly if its caller's readings of the clock say so.
//
// Tokens that a chain holds count as taken. They come back exactly, or stay spent, are counted, and
// others have taken tokens since. A call through a chain takes nothing while a key is sure to refuse
// it, begins its function only with tokens and permits of every key, and leaves no token, waiter or
// probe behind when it gives up. The rows of a queue take turns.
//
// In one engine of three the calls in flight are bounded. Never more calls of a key are inside than the
// bound in force when they came; when a bound becomes less, nobody enters until there is room. A place
// comes back behind the outcome, with every end of a call: a panic, a call that gives up, a Hold, and a
// ticket that is collected, for which a step of its caller stands. A free place goes to the head of the
// line. Nobody passes the line, waits with a place, or waits there with tokens, and no actor sleeps while
// a place is free for which somebody waits. A refusal for want of a place is right if all were taken, or
// others waited, at some time since the attempt began. No key goes with calls in flight, and in the end no
// place is taken.
//
// Some calls cost more than a token, and keys are charged at any moment. A charge is in the windows like
// what calls take: so a window is above its bound by what was charged at most, and the debt grows to ten
// bursts at most. Callers who wait and did not foresee the charge are refused when their time is up.
//
// One engine of eight is in shadow, and changes begin and end that. It refuses nobody and has nobody wait.
// A call that it would have refused has no token, place or permit there, and something was in its way at
// some time since the attempt began; a call that would have waited has the tokens of later.
//
// A change counts as of its instant, for keys that are known, spilled and forgotten. No window admits more
// than the capacity at its start and each rate for as long as it held. Failures that counted by the rules
// before, open breakers, leases and the calls in a window go on by the rules after.
//
// An event is one turn, one step of a caller between two blocking points, one birth, one leaving, one
// eviction, or one step of a supervisor. Ten thousand seeds are 10^9 events, of which about 120 million
// are no steps of supervisors:
//
//	go test ./engine -run '^TestSimulation$' -engine.simulations 10000 -timeout 30m
func TestSimulation(t *testing.T) {
	s := simulation{test: t, seeds: []uint64{*simulationFlag}}
	if *simulationFlag == 0 {
		s.seeds = make([]uint64, *simulationsFlag)
		for i := range s.seeds {
			if s.seeds[i] = rand.Uint64(); *simulationFirst > 0 {
				s.seeds[i] = *simulationFirst + uint64(i)
			}
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
	t.Attr("changes", strconv.FormatInt(s.changes.Load(), 10))
	t.Attr("forces", strconv.FormatInt(s.forces.Load(), 10))
	t.Attr("violations", strconv.FormatInt(s.violations.Load(), 10))
	t.Attr("simulated-years", strconv.FormatFloat(float64(s.seconds.Load())/(365*24*3600), 'f', 3, 64))
}

// simulation is many seeds and their results.
type simulation struct {
	test       *testing.T
	seeds      []uint64
	next       atomic.Int64
	run, again atomic.Int64
	events     atomic.Int64
	changes    atomic.Int64
	forces     atomic.Int64
	seconds    atomic.Int64
	violations atomic.Int64
}

// again is one seed in so many that is run twice.
const again = 16

// work simulates one seed after the other, until a seed violates something.
func (s *simulation) work() {
	u := newUniverse()
	defer func() { u.end() }()
	for s.violations.Load() == 0 {
		i := s.next.Add(1) - 1
		if i >= int64(len(s.seeds)) {
			return
		}
		sum, violated := u.simulate(s.seeds[i])
		s.run.Add(1)
		s.events.Add(u.events)
		s.changes.Add(u.changed)
		s.forces.Add(u.forced)
		s.seconds.Add(u.passed / int64(time.Second))
		if violated == "" && (i%again == 0 || *simulationFlag != 0) {
			s.again.Add(1)
			if other, _ := u.simulate(s.seeds[i]); other != sum {
				violated = "two runs of the seed have different traces"
			}
		}
		if violated != "" {
			s.violations.Add(1)
			s.test.Errorf("seed %d: %s\n%s", i, violated, replay(s.seeds[i]))
			u.abandoned = true
		}
	}
}

// replay is the line that runs a seed again.
func replay(seed uint64) string {
	return fmt.Sprintf("replay: go test ./engine -run '^TestSimulation$' -engine.simulation=%d", seed)
}

// simulate runs a seed, and returns the sum of its trace and the violation, if there was one.
func (u *universe) simulate(seed uint64) (sum uint64, violated string) {
	stands := time.AfterFunc(time.Minute, func() { panic("a simulation stands still; " + replay(seed)) })
	defer stands.Stop()
	defer func() {
		switch reason := recover().(type) {
		case nil:
			return
		case violation:
			violated = string(reason)
		default:
			violated = fmt.Sprintf("after %d events: panic: %v\n%s", u.events, reason, debug.Stack())
		}
	}()
	u.rng.Seed(seed, 7)
	u.sum, u.events, u.passed, u.periods, u.changed, u.forced = 14695981039346656037, 0, 0, 0, 0, 0
	for i := range scenesOfSeed {
		u.open()
		u.play(int64(i+1) * eventsOfSeed / scenesOfSeed)
		u.shut()
	}
	return u.sum, ""
}
