// Package conformance checks that contenders admit the same calls for the same schedule, each within the algorithm that it
// documents, before anything about them is timed.
//
// A check returns one line for every fault it found. [Capacity] and [Threshold] hold in real time, because their limits
// are so slow that time does not matter. The other checks sleep, and are meant for a testing/synctest bubble, in which all
// contenders read the bubble's clock: their schedules take no time there and are the same in every run. [Contention] measures
// what two thousand goroutines get out of a limit.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
)

// settings are a limit that is never reached, a breaker that opens at five failures and one attempt. Checks change what
// they are about.
func settings() contender.Settings {
	return contender.Settings{
		Keys:             contender.NewKeys(3),
		Capacity:         1 << 19,
		Interval:         time.Hour,
		FailureThreshold: 5,
		RecoveryTimeout:  5 * time.Second,
		Attempts:         1,
		BaseDelay:        time.Millisecond,
	}
}

// faults collects what is wrong with one contender.
type faults struct {
	name  string
	found []string
}

func (f *faults) add(format string, args ...any) {
	f.found = append(f.found, f.name+": "+fmt.Sprintf(format, args...))
}

// with calls check with a new guard, and closes it.
func with(c contender.Contender, s contender.Settings, check func(f *faults, g contender.Guard, keys []contender.Key)) []string {
	f := &faults{name: c.Name}
	g, err := c.New(s)
	if err != nil {
		f.add("%v", err)
		return f.found
	}
	check(f, g, []contender.Key{s.Keys.At(0), s.Keys.At(1), s.Keys.At(2)})
	if err := g.Close(); err != nil {
		f.add("close: %v", err)
	}
	return f.found
}

var (
	errFailed  = errors.New("conformance: the call failed")
	background = context.Background()
)

func succeed(context.Context) error { return nil }
func fail(context.Context) error    { return errFailed }

// Capacity checks that a key admits exactly its capacity when no token comes back in time, to one goroutine and to many,
// whatever other keys do. It is for limiters that refuse.
func Capacity(c contender.Contender) []string {
	var all []string
	for _, capacity := range []int{1, 2, 10, 1000} {
		s := settings()
		s.Capacity = capacity
		all = append(all, with(c, s, func(f *faults, g contender.Guard, keys []contender.Key) {
			for _, key := range keys[:2] {
				got := 0
				for range 2*capacity + 1 {
					if g.Allow(key) {
						got++
					}
				}
				if got != capacity {
					f.add("capacity %d, no refill: one goroutine got %d", capacity, got)
				}
			}
			var got atomic.Int64
			var callers sync.WaitGroup
			for range 16 {
				callers.Go(func() {
					for range capacity {
						if g.Allow(keys[2]) {
							got.Add(1)
						}
					}
				})
			}
			callers.Wait()
			if got.Load() != int64(capacity) {
				f.add("capacity %d, no refill: 16 goroutines got %d", capacity, got.Load())
			}
		})...)
		if c.Does.Has(contender.Pipeline) {
			all = append(all, with(c, s, func(f *faults, g contender.Guard, keys []contender.Key) {
				pipelineCapacity(f, c, g, keys[0], capacity)
			})...)
		}
	}
	return all
}

// pipelineCapacity checks that Run admits the capacity, and that the limiter's refusals are no outcomes for the breaker.
func pipelineCapacity(f *faults, c contender.Contender, g contender.Guard, key contender.Key, capacity int) {
	ran := 0
	run := func(context.Context) error { ran++; return nil }
	for i := range capacity + 20 {
		err := g.Run(background, key, run)
		if want := i < capacity; want && err != nil || !want && !errors.Is(err, c.Limited) {
			f.add("capacity %d: call %d of Run gave %v", capacity, i+1, err)
			break
		}
	}
	if ran != capacity {
		f.add("capacity %d: Run let %d calls through", capacity, ran)
	}
}

// Threshold checks that a breaker opens at exactly five failures in a row, for no other key, and that it stays open when a
// call from before ends well. It is for breakers.
func Threshold(c contender.Contender) []string {
	s := settings()
	s.RecoveryTimeout = time.Hour
	return with(c, s, func(f *faults, g contender.Guard, keys []contender.Key) {
		for i, fn := range []func(context.Context) error{
			fail, fail, fail, fail, succeed, fail, fail, fail, fail, succeed, succeed, fail, fail, fail, fail, fail,
		} {
			ran := false
			err := g.Run(background, keys[0], func(ctx context.Context) error { ran = true; return fn(ctx) })
			if !ran || !errors.Is(err, fn(background)) {
				f.add("breaker: call %d, of a key with fewer than five failures in a row, gave %v", i+1, err)
			}
		}
		for range 3 {
			ran := false
			err := g.Run(background, keys[0], func(context.Context) error { ran = true; return nil })
			if ran || !refusedOpen(c, err) {
				f.add("breaker: after five failures in a row a call gave %v (ran: %v)", err, ran)
			}
		}
		if err := g.Run(background, keys[1], succeed); err != nil {
			f.add("breaker: another key's call gave %v", err)
		}
		_ = g.Run(background, keys[2], func(context.Context) error {
			for range s.FailureThreshold {
				_ = g.Run(background, keys[2], fail)
			}
			return nil
		})
		if err := g.Run(background, keys[2], succeed); !refusedOpen(c, err) {
			f.add("breaker: after a success that began before it opened, a call gave %v", err)
		}
	})
}

// Panics checks that a panic goes on untouched, that five in a row open the breaker, and that a probe that panics opens it
// again instead of keeping its place. It sleeps.
func Panics(c contender.Contender) []string {
	s := settings()
	return with(c, s, func(f *faults, g contender.Guard, keys []contender.Key) {
		const thrown = "thrown by a call"
		panicking := func() (caught any) {
			defer func() { caught = recover() }()
			_ = g.Run(background, keys[0], func(context.Context) error { panic(thrown) })
			return nil
		}
		for range s.FailureThreshold {
			if caught := panicking(); caught != thrown {
				f.add("panic: the caller got %v", caught)
			}
		}
		if err := g.Run(background, keys[0], succeed); !refusedOpen(c, err) {
			f.add("panic: after five in a row a call gave %v", err)
			for range s.FailureThreshold { // so that there is a probe all the same
				_ = g.Run(background, keys[0], fail)
			}
		}
		time.Sleep(s.RecoveryTimeout + time.Nanosecond)
		panicking()
		if err := g.Run(background, keys[0], succeed); !refusedOpen(c, err) {
			f.add("panic: after the probe's a call gave %v", err)
		}
		time.Sleep(s.RecoveryTimeout + time.Nanosecond)
		if err := g.Run(background, keys[0], succeed); err != nil {
			f.add("panic: the probe after the one that panicked gave %v", err)
		}
	})
}

func refusedOpen(c contender.Contender, err error) bool {
	return slices.ContainsFunc(c.Open, func(open error) bool { return errors.Is(err, open) })
}
