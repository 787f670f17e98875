package engine_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// A call that the gate let through while the breaker was opening must not close it again by its success. (The generation
// used to be published before the gate was shut.)
func TestASuccessFromWhileTheBreakerOpenedDoesNotCloseIt(t *testing.T) {
	eng := start(t, engine.Config{Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Hour}})
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for !stop.Load() {
				_ = eng.Run(context.Background(), "k", func(context.Context) error { runtime.Gosched(); return nil })
				runtime.Gosched()
			}
		})
	}
	for try := range 500 {
		require.ErrorIs(t, eng.Run(t.Context(), "k", fail), errDown)
		for range 3 {
			runtime.Gosched()
			require.ErrorIs(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen, "try %d", try)
		}
		eng.Reset("k")
	}
	stop.Store(true)
	wg.Wait()
}

// A failure and then a success of one caller are counted in that order, also where the gate never opens. (The success used
// to find the key still clean and was not reported.)
func TestOutcomesOfOneCallerAreCountedInTheirOrder(t *testing.T) {
	bucket := limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1)}
	for name, l := range map[string]limiter.Limiter{"one limit": bucket, "two limits": limiter.All(bucket, bucket), "no limit": nil} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, engine.Config{Limiter: l, Breaker: opensAfter(5)}, func(t *testing.T, eng *engine.Engine) {
				for i := range 200 {
					key := fmt.Sprint(i)
					failed, err := eng.Admit(t.Context(), key)
					require.NoError(t, err)
					fine, err := eng.Admit(t.Context(), key)
					require.NoError(t, err)
					failed.Done(errDown)
					fine.Done(nil)
					require.Zero(t, inspect(t, eng, key).Failures)
				}
			})
		})
	}
}

// A deadline further away than a time.Duration reaches is as good as none. (It used to refuse every wait.)
func TestADeadlineInTheFarFuture(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Second)}, func(t *testing.T, eng *engine.Engine) {
		ctx, cancel := context.WithDeadline(t.Context(), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
		defer cancel()
		for range 3 {
			require.NoError(t, eng.Acquire(ctx, "k"))
		}
	})
}

// A handle whose key was forgotten finds the key again at its gate. (It used to start a goroutine for it.)
func TestAHandleFindsItsKeyAgainWithoutAnActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := start(t, engine.Config{Limiter: oneEvery(time.Second), IdleAfter: time.Minute})
		k := eng.Key("k")
		for range 3 {
			require.True(t, k.Allow())
			require.Equal(t, 1, eng.Stats().Keys)
			require.Zero(t, eng.Stats().Actors)
			time.Sleep(time.Hour)
			require.Zero(t, eng.Stats().Keys)
		}
	})
}

// A key without a limiter that is in use is not idle. (Nothing used to tell.)
func TestAKeyWithABreakerAloneIsNotForgottenInUse(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(5), IdleAfter: time.Minute}, func(t *testing.T, eng *engine.Engine) {
		for range 1000 {
			require.NoError(t, eng.Run(t.Context(), "k", succeed))
			time.Sleep(time.Second)
		}
		require.Zero(t, eng.Stats().Evicted)
		time.Sleep(time.Hour)
		require.Zero(t, eng.Stats().Keys)
	})
}

// The success of a call whose cell has been forgotten counts for the key's new cell. (It used to be taken for a success on
// a clean key.)
func TestASuccessFromAForgottenCellCounts(t *testing.T) {
	cfg := engine.Config{MaxKeys: 1, Breaker: &breaker.Policy{FailureThreshold: 2}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		early, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		time.Sleep(time.Second)
		_, err = eng.Admit(t.Context(), "other")
		require.NoError(t, err)
		time.Sleep(time.Second)
		late, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		late.Done(errDown)
		early.Done(nil)
		require.Zero(t, inspect(t, eng, "k").Failures)
	})
}

// A panic of Classify is a failure for tickets as it is for Do.
func TestAPanicOfClassifyCountsForATicket(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(5), Classify: func(error) engine.Outcome { panic("classify") }}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		ticket, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		require.PanicsWithValue(t, "classify", func() { ticket.Done(errDown) })
		require.Equal(t, 1, inspect(t, eng, "k").Failures)
	})
}

// panicking is a clock that panics once when it is told to.
type panicking struct {
	clock.Clock
	now atomic.Bool
}

func (p *panicking) Now() time.Time {
	if p.now.CompareAndSwap(true, false) {
		panic("clock")
	}
	return p.Clock.Now()
}

// ending is a context that ends just after its error was asked for.
type ending struct {
	context.Context
	asked bool
}

func (e *ending) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

func (e *ending) Err() error {
	if !e.asked {
		e.asked = true
		return nil
	}
	return context.Canceled
}

// A clock that panics in a turn costs those that wait their place, and nothing else: the key works on, and the requests that
// were answered with the panic do as well. (They used to keep their place in a line that was gone.)
func TestAKeyWorksOnAfterAPanicInATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &panicking{Clock: clock.System()}
		// The clock is hidden in a struct without Nanos, so that the engine reads Now.
		eng := start(t, engine.Config{Dispatch: engine.Mailbox, Clock: struct{ clock.Clock }{c}, Limiter: oneEvery(time.Hour)})
		require.True(t, eng.Allow("k"))
		waiting := make(chan error, 64)
		for range cap(waiting) {
			go func() { waiting <- eng.Acquire(t.Context(), "k") }()
		}
		synctest.Wait()
		require.Equal(t, 64, inspect(t, eng, "k").Waiting)
		c.now.Store(true)
		require.False(t, eng.Allow("k"))
		for range cap(waiting) {
			require.ErrorContains(t, <-waiting, "panicked: clock")
		}
		for range 200 { // callers that have left before the actor sees what they ask
			require.ErrorIs(t, eng.Acquire(&ending{Context: t.Context()}, "k"), context.Canceled)
		}
		require.Zero(t, inspect(t, eng, "k").Waiting)
		require.EqualValues(t, 1, eng.Stats().Restarts)
		time.Sleep(time.Hour)
		require.True(t, eng.Allow("k"))
	})
}
