package measure

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/record"
)

// Trial takes samples of one contender under one kind of load.
type Trial struct {
	Group     string // what its samples are compared within
	Contender string
	Rounds    int           // in how many rounds it takes part; 0 means in all
	Guess     time.Duration // how long it takes, until that is known
	// Alone is for trials that leave behind what would slow down those after them, as a million goroutines do, which the
	// runtime never forgets: each of their samples is taken by a process of its own.
	Alone bool
	// Sample takes the samples of one round. Unless it is Alone it leaves no goroutine behind.
	Sample func(emit func(record.Sample) error) error
}

// Durations are how long the parts of a trial last.
type Durations struct {
	Calls   time.Duration // of calls as fast as can be, twice as long with many goroutines or keys
	Warm    time.Duration // of such calls before, that do not count
	Latency time.Duration // of calls at a fixed rate
	Load    time.Duration // of other loads
}

// Progress is told what runs now.
type Progress interface {
	// Begin is called before each trial, with the time that all trials left will take, this one included.
	Begin(round, rounds int, t *Trial, left time.Duration)
}

// Run makes rounds of all trials, whose groups follow one another in the order given, until ctx ends; the error is then
// ctx's. It changes GOMAXPROCS while it runs. alone has a trial that is Alone sampled by another process.
func Run(ctx context.Context, trials []*Trial, rounds int, p Progress, alone func(*Trial) error, emit func(record.Sample) error) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	order := rand.New(rand.NewPCG(uint64(rounds), uint64(len(trials))))
	e := newEstimate(trials, rounds)
	for round := range rounds {
		for _, t := range shuffledWithinGroups(trials, order) {
			if t.Rounds > 0 && round >= t.Rounds {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			p.Begin(round+1, rounds, t, e.left)
			begin := time.Now()
			var err error
			if t.Alone {
				err = alone(t)
			} else {
				err = t.Sample(emit)
			}
			if err != nil {
				return fmt.Errorf("%s, %s: %w", t.Group, t.Contender, err)
			}
			e.took(t, time.Since(begin))
		}
	}
	return nil
}

func shuffledWithinGroups(trials []*Trial, r *rand.Rand) []*Trial {
	var all []*Trial
	for from := 0; from < len(trials); {
		to := from + 1
		for to < len(trials) && trials[to].Group == trials[from].Group {
			to++
		}
		group := append([]*Trial(nil), trials[from:to]...)
		r.Shuffle(len(group), func(i, j int) { group[i], group[j] = group[j], group[i] })
		all = append(all, group...)
		from = to
	}
	return all
}

// estimate is how long what is left will take: what a trial took last, its guess before it took anything.
type estimate struct {
	left  time.Duration
	times map[*Trial]int // samples still to take
	each  map[*Trial]time.Duration
}

func newEstimate(trials []*Trial, rounds int) *estimate {
	e := &estimate{times: map[*Trial]int{}, each: map[*Trial]time.Duration{}}
	for _, t := range trials {
		n := rounds
		if t.Rounds > 0 {
			n = min(n, t.Rounds)
		}
		e.times[t], e.each[t] = n, t.Guess
		e.left += time.Duration(n) * t.Guess
	}
	return e
}

func (e *estimate) took(t *Trial, d time.Duration) {
	e.left -= time.Duration(e.times[t]) * e.each[t]
	e.times[t]--
	e.each[t] = d
	e.left += time.Duration(e.times[t]) * d
}

// settle is done before each measurement: GOMAXPROCS, and nothing to collect that somebody else has left.
func settle(cores int) {
	if runtime.GOMAXPROCS(0) != cores {
		runtime.GOMAXPROCS(cores)
	}
	runtime.GC()
}

// prepare has f make a guard without being interrupted by garbage collections, whose work would only delay the measurement.
func prepare(f func() (contender.Guard, error)) (contender.Guard, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	return f()
}

// manyKeys is from how many keys on a trial is Alone.
const manyKeys = 100_000

// finish ends a guard, unless the process is about to end anyway.
func (t *Trial) finish(g contender.Guard, err error) error {
	if t.Alone {
		return err
	}
	return errors.Join(err, g.Close())
}
