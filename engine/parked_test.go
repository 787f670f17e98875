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
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// Keys that fail need no goroutines: keys that have failed once, keys whose breaker is open, keys
// that are asked often, and keys with several limits. (200,000 keys of an upstream that is down
// used to have 200,000 goroutines.)
func TestKeysThatFailNeedNoGoroutines(t *testing.T) {
	keys := 200_000 / (slowdown * slowdown)
	bucket := limiter.TokenBucket{Capacity: 1000, RefillRate: limiter.Per(1, time.Second)}
	for name, row := range map[string]struct {
		cfg   engine.Config
		calls int
	}{
		"once":           {engine.Config{Limiter: bucket}, 1},
		"until it opens": {engine.Config{Limiter: bucket}, 6},
		"no limiter":     {engine.Config{}, 2},
		"several limits": {engine.Config{Limiter: limiter.All(bucket, bucket)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			keys := keys
			if name != "once" {
				keys /= 10 // more than ten times the bound below
			}
			row.cfg.Breaker = opensAfter(5)
			eng := start(t, row.cfg)
			before := runtime.NumGoroutine()
			var most atomic.Int64
			var callers sync.WaitGroup
			const together = 16
			for w := range together {
				callers.Go(func() {
					for i := w; i < keys; i += together {
						key := fmt.Sprint("key-", i)
						for range row.calls {
							_ = eng.Run(context.Background(), key, fail)
						}
						runtime.Gosched() // what has been started and is not needed may end
						if n := int64(runtime.NumGoroutine()); n > most.Load() {
							most.Store(n)
						}
					}
				})
			}
			callers.Wait()
			require.Equal(t, keys, eng.Stats().Keys)
			require.Less(t, most.Load()-int64(before), int64(1500))
			t.Logf("%d keys: %d goroutines at most", keys, most.Load())
		})
	}
}

// A parked key knows the state of its last actor: failures, an open breaker, a probe that has
// succeeded.
func TestWhatAParkedKeyKnows(t *testing.T) {
	cfg := engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1)},
		Breaker: &breaker.Policy{FailureThreshold: 3, HalfOpenSuccesses: 2, RecoveryTimeout: 7 * time.Second}, IdleAfter: 8 * time.Second,
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		parked := func() {
			t.Helper()
			synctest.Wait()
			require.Zero(t, eng.Stats().Actors)
			time.Sleep(5 * time.Second) // with sweeps: so many starts are not often
		}
		for failures := 1; failures <= 2; failures++ {
			failTimes(t, eng, "k", 1)
			parked()
			require.Equal(t, failures, inspect(t, eng, "k").Failures)
		}
		failTimes(t, eng, "k", 1)
		parked() // or the question would be one start too many, if the actor has left before the report
		require.Equal(t, breaker.Open, inspect(t, eng, "k").Breaker)
		parked()
		require.NoError(t, eng.Run(t.Context(), "k", succeed), "one of two")
		parked()
		require.Equal(t, breaker.HalfOpen, inspect(t, eng, "k").Breaker)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
	})
}

// TestAnActorIsThereWhileACallerWaits, and while a probe is out; and no longer.
func TestAnActorIsThereWhileACallerWaits(t *testing.T) {
	cfg := engine.Config{
		Limiter: oneEvery(time.Hour), IdleAfter: 10 * time.Hour,
		Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Hour, ProbeTimeout: 3 * time.Hour},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.NoError(t, eng.Acquire(t.Context(), "waits"))
		ctx, cancel := context.WithCancel(t.Context())
		left := inBackground(func() error { return eng.Acquire(ctx, "waits") })
		served := inBackground(func() error { return eng.Acquire(t.Context(), "waits") })
		synctest.Wait()
		require.Equal(t, 1, eng.Stats().Actors)
		cancel()
		require.ErrorIs(t, <-left, context.Canceled)
		synctest.Wait()
		require.Equal(t, 1, eng.Stats().Actors, "another still waits")
		time.Sleep(time.Hour)
		require.NoError(t, <-served)
		synctest.Wait()
		require.Zero(t, eng.Stats().Actors)

		failTimes(t, eng, "probed", 1)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Zero(t, eng.Stats().Actors)
		probe, err := eng.Admit(t.Context(), "probed")
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, eng.Stats().Actors)
		probe.Done(nil)
		synctest.Wait()
		require.Zero(t, eng.Stats().Actors)
		require.Equal(t, breaker.Closed, inspect(t, eng, "probed").Breaker)
	})
}
