// Package workload holds what the contention study has its contenders do: which calls, of which keys, in which order.
package workload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/limitpal/limitpal-go/bench/contender"
)

// Workload is one kind of call, made over and over.
type Workload struct {
	Name  string
	About string               // one sentence
	Needs contender.Capability // what a contender must be able to do to take part
	// Admits is whether the calls are let through, so that the baselines, which let everything through, take part too.
	Admits   bool
	Unbroken bool               // goroutines do not yield between calls, so that each runs until the scheduler interrupts it
	Settings contender.Settings // without Keys
	// Prepare brings one key into the state that the calls are to find it in. The first touch of a key is part of it.
	Prepare func(contender.Guard, contender.Key) error
	// Call makes one call and reports whether it ended as the workload demands.
	Call func(contender.Guard, contender.Key) bool
}

// plenty is a limit that no run reaches and a breaker at its usual settings.
var plenty = contender.Settings{
	Capacity:         1 << 30,
	Interval:         time.Nanosecond,
	FailureThreshold: 5,
	RecoveryTimeout:  24 * time.Hour,
	Attempts:         3,
	BaseDelay:        100 * time.Millisecond,
}

var (
	background = context.Background()
	errFailed  = errors.New("workload: the call failed")
)

func nothing(context.Context) error { return nil }
func failing(context.Context) error { return errFailed }

// All returns every workload.
func All() []Workload {
	empty := plenty
	empty.Capacity, empty.Interval = 1, 1000*time.Hour
	once := plenty
	once.Attempts = 1 // so that no key has to sleep before its breaker is open; a refusal is not tried again anyway
	alone := plenty
	alone.Capacity, alone.Attempts = 0, 0
	run := func(g contender.Guard, key contender.Key) bool { return g.Run(background, key, nothing) == nil }
	return []Workload{
		{
			Name: "pipeline", About: "retry, breaker and limiter around a function that does nothing; every call is admitted",
			Needs: contender.Pipeline, Admits: true, Settings: plenty,
			Prepare: expect(run), Call: run,
		},
		{
			Name: "pipeline-unbroken", About: "the same, by goroutines that run until the scheduler interrupts them",
			Needs: contender.Pipeline, Admits: true, Unbroken: true, Settings: plenty,
			Prepare: expect(run), Call: run,
		},
		{
			Name: "limiter", About: "the limiter alone; every call is admitted",
			Needs: contender.Limits, Admits: true, Settings: plenty,
			Prepare: expect(contender.Guard.Allow), Call: contender.Guard.Allow,
		},
		{
			Name: "breaker", About: "the breaker alone around a function that does nothing; every call is admitted",
			Needs: contender.Breaks, Admits: true, Settings: alone,
			Prepare: expect(run), Call: run,
		},
		{
			Name: "refused-empty", About: "the limiter alone; the bucket is empty and every call is refused",
			Needs: contender.Limits | contender.Refuses, Settings: empty,
			Prepare: expect(contender.Guard.Allow), Call: func(g contender.Guard, key contender.Key) bool { return !g.Allow(key) },
		},
		{
			Name: "refused-open", About: "the pipeline, or as much as there is of it; the breaker is open and every call is refused",
			Needs: contender.Breaks, Settings: once,
			Prepare: trip, Call: func(g contender.Guard, key contender.Key) bool { return !run(g, key) },
		},
	}
}

// Named is the workload of that name.
func Named(name string) (Workload, bool) {
	for _, w := range All() {
		if w.Name == name {
			return w, true
		}
	}
	return Workload{}, false
}

// expect is a Prepare that makes one call, which must end well.
func expect(call func(contender.Guard, contender.Key) bool) func(contender.Guard, contender.Key) error {
	return func(g contender.Guard, key contender.Key) error {
		if !call(g, key) {
			return fmt.Errorf("workload: the first call of %q went wrong", key.Name)
		}
		return nil
	}
}

// trip opens the breaker of a key.
func trip(g contender.Guard, key contender.Key) error {
	for range plenty.FailureThreshold {
		if err := g.Run(background, key, failing); !errors.Is(err, errFailed) {
			return fmt.Errorf("workload: a failing call of %q gave %w", key.Name, err)
		}
	}
	return nil
}

// Takes reports whether c takes part.
func (w Workload) Takes(c contender.Contender) bool {
	return c.Does.Has(w.Needs) || w.Admits && c.Kind == contender.Baseline
}

// preparedTogether is how many keys one goroutine prepares.
const preparedTogether = 1 << 16

// Start makes a guard of c and prepares all keys, under names that are equal to those of the calls but not the same memory, as it is
// with names that come with requests: a lookup has to compare them.
func (w Workload) Start(c contender.Contender, keys contender.Keys) (contender.Guard, error) {
	s := w.Settings
	s.Keys = keys
	g, err := c.New(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name, err)
	}
	stored := keys.Clone()
	var preparing errgroup.Group // several at a time: a million keys take seconds
	for from := 0; from < keys.Len(); from += preparedTogether {
		preparing.Go(func() error {
			for i := from; i < min(from+preparedTogether, stored.Len()); i++ {
				if err := w.Prepare(g, stored.At(i)); err != nil {
					return fmt.Errorf("%s: %w", c.Name, err)
				}
			}
			return nil
		})
	}
	if err := preparing.Wait(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}
