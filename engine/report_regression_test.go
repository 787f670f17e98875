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

// A call that the gate admitted while the breaker was opening must not close the breaker again by
// its success. (The generation used to be published before the actor owned the gate.)
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

// A failure and then a success of a caller are counted in that order, also where the gate is never
// shared. (The success used to find the key still clean and was not reported.)
func TestOutcomesOfOneCallerAreCountedInTheirOrder(t *testing.T) {
	t.Parallel()
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

// The success of a call whose cell has been forgotten counts for the key's new cell. (The success
// used to be taken for a success on a clean key.)
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

// stopClock is the system's clock, whose readings wait while the clock is stopped.
type stopClock struct {
	clock.Clock
	run chan struct{} // closed while the clock runs
}

func (c *stopClock) Now() time.Time {
	<-c.run
	return c.Clock.Now()
}

// TestASuccessIsNotDroppedWhileATurnMayCountAFailure stops a turn that counts a failure. The
// success of another call comes meanwhile, and must end the row of failures.
func TestASuccessIsNotDroppedWhileATurnMayCountAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, stopped := make(chan struct{}), make(chan struct{})
		close(running)
		c := &stopClock{clock.System(), running}
		e, err := engine.New(engine.Config{Breaker: &breaker.Policy{FailureThreshold: 2}, Clock: c})
		require.NoError(t, err)
		defer func() { require.NoError(t, e.Close(context.Background())) }()
		failed, err := e.Admit(t.Context(), "a")
		require.NoError(t, err)
		good, err := e.Admit(t.Context(), "a")
		require.NoError(t, err)
		c.run = stopped
		go failed.Done(errDown)
		synctest.Wait() // the turn has begun, and waits for the clock
		good.Done(nil)
		close(stopped)
		synctest.Wait()
		s, known := e.Inspect("a")
		require.True(t, known)
		require.Zero(t, s.Failures, "the success was dropped")
	})
}
