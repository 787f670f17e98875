package engine_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

func TestNothingConfiguredGuardsNothing(t *testing.T) {
	eachDispatch(t, engine.Config{}, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		require.True(t, eng.AllowN("k", 1<<30))
		require.NoError(t, eng.Acquire(t.Context(), "k"))
		require.True(t, eng.Run(t.Context(), "k", fail) == errDown)
		ticket, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		ticket.Done(errDown)
		require.Zero(t, eng.Stats(), "there is nothing to keep for a key")
		_, known := eng.Inspect("k")
		require.False(t, known)
	})
}

func TestLimiterAloneAndBreakerAlone(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		require.Zero(t, eng.Stats().Keys)
		failTimes(t, eng, "k", 1)
		rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		require.True(t, eng.Allow("k"), "Allow is for the limiter alone")
		require.NoError(t, eng.Acquire(t.Context(), "k"))
		require.Empty(t, inspect(t, eng, "k").Limits)
	})
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Second)}, func(t *testing.T, eng *engine.Engine) {
		for range 9 {
			failTimes(t, eng, "k", 1)
		}
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
	})
}

func TestAllowNTakesAllOrNothing(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.PerSecond(1)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.AllowN("k", 3))
		require.False(t, eng.AllowN("k", 3))
		require.True(t, eng.AllowN("k", 2))
		require.False(t, eng.AllowN("k", 6), "more than the capacity is never there")
		r := rejected(t, eng.AcquireN(t.Context(), "k", 6), limiter.ErrExceedsCapacity)
		require.Zero(t, r.RetryAfter())
		require.Equal(t, "k", r.Key)
		require.EqualError(t, r, `engine: key "k": limiter: more than the capacity`)
	})
}

func TestAllLimitsAreTakenOrNone(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.All(
		limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(10)},
		limiter.TokenBucket{Capacity: 2, RefillRate: limiter.PerSecond(1)},
	)}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.AllowN("k", 2))
		for range 100 {
			require.False(t, eng.Allow("k"))
		}
		limits := inspect(t, eng, "k").Limits
		require.InDelta(t, 8, limits[0].Available, 1e-9, "a refusal by the second costs the first nothing")
		require.Equal(t, time.Second, limits[1].Wait)

		// Five waiters: granted one a second by the second limit; the first one is never the one that binds.
		start := time.Now()
		var last <-chan error
		for range 5 {
			last = inBackground(func() error { return eng.Acquire(t.Context(), "k") })
			synctest.Wait()
		}
		require.Equal(t, 6*time.Second, inspect(t, eng, "k").Limits[1].Wait, "behind all that wait")
		require.NoError(t, <-last)
		require.Equal(t, 5*time.Second, time.Since(start))
	})
}

func TestLeakyBucketPacesRunAndAcquire(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.LeakyBucket{Capacity: 3, LeakRate: limiter.PerSecond(1)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		start := time.Now()
		at := make(chan time.Duration, 3)
		for range 3 {
			go func() {
				_ = eng.Run(t.Context(), "k", func(context.Context) error { at <- time.Since(start); return nil })
			}()
			synctest.Wait()
		}
		require.Equal(t, 3, inspect(t, eng, "k").Limits[0].Queued)
		r := rejected(t, eng.Acquire(t.Context(), "k"), limiter.ErrLimited)
		require.Equal(t, 3*time.Second, r.RetryAfter(), "every place is taken, by those that wait too")
		require.False(t, eng.Allow("k"))
		require.Equal(t, []time.Duration{0, time.Second, 2 * time.Second}, []time.Duration{<-at, <-at, <-at})
		time.Sleep(time.Hour)
		require.True(t, eng.AllowN("k", 3), "Allow takes places at once")
		require.False(t, eng.Allow("k"))
		start = time.Now()
		require.ErrorIs(t, eng.Acquire(t.Context(), "k"), limiter.ErrLimited)
		time.Sleep(time.Second)
		require.NoError(t, eng.Acquire(t.Context(), "k"))
		require.Equal(t, 3*time.Second, time.Since(start), "one per interval, also behind places that Allow took")
	})
}

func TestInspectAndReset(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 4, RefillRate: limiter.Per(1, time.Minute)}, Breaker: opensAfter(2)}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		_, known := eng.Inspect("k")
		require.False(t, known)
		eng.Reset("k")
		require.Zero(t, eng.Stats().Keys, "neither makes a key known")

		failTimes(t, eng, "k", 1)
		require.Equal(t, engine.Snapshot{
			Key: "k", Failures: 1, Limits: []limiter.Status{{Available: 3}},
		}, inspect(t, eng, "k"))
		failTimes(t, eng, "k", 1)
		time.Sleep(time.Second)
		require.Equal(t, breaker.Open, inspect(t, eng, "k").Breaker)
		require.Equal(t, 4*time.Second, inspect(t, eng, "k").OpenFor)

		require.True(t, eng.AllowN("k", 2))
		waiter := inBackground(func() error { return eng.AcquireN(t.Context(), "k", 3) })
		synctest.Wait()
		require.Equal(t, 1, inspect(t, eng, "k").Waiting)
		eng.Reset("k")
		require.NoError(t, <-waiter, "those that wait are served from the full bucket")
		s := inspect(t, eng, "k")
		require.Equal(t, breaker.Closed, s.Breaker)
		require.InDelta(t, 1, s.Limits[0].Available, 1e-9)

		require.True(t, eng.Allow("other"))
		eng.ResetAll()
		require.InDelta(t, 4, inspect(t, eng, "k").Limits[0].Available, 1e-9)
		require.InDelta(t, 4, inspect(t, eng, "other").Limits[0].Available, 1e-9)
		require.ElementsMatch(t, []string{"k", "other"}, slices.Collect(eng.Keys()))
	})
}

func TestResetAllWakesNobodyForLong(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 1000*time.Hour)}, IdleAfter: time.Minute}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		for i := range 100 {
			require.True(t, eng.Allow(fmt.Sprint(i)))
		}
		time.Sleep(time.Hour)
		require.Equal(t, engine.Stats{Keys: 100}, eng.Stats())
		eng.ResetAll()
		time.Sleep(10 * time.Second)
		require.Zero(t, eng.Stats().Actors, "an order to all keys is no use of them")
	})
}

func TestInspectDoesNotKeepAKey(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Second), IdleAfter: time.Minute}, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		for range 10 {
			time.Sleep(10 * time.Second)
			eng.Inspect("k")
		}
		_, known := eng.Inspect("k")
		require.False(t, known, "asking is not using")
	})
}

func TestHandle(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, time.Second)}, IdleAfter: time.Minute}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		k := eng.Key("conn-42")
		require.Equal(t, "conn-42", k.String())
		require.Zero(t, eng.Stats().Keys, "a handle makes no key known")
		require.True(t, k.Allow())
		require.True(t, k.AllowN(2))
		require.False(t, eng.Allow("conn-42"), "it is the same key")
		require.NoError(t, k.Acquire(t.Context()))
		require.NoError(t, k.AcquireN(t.Context(), 2))
		s, known := k.Inspect()
		require.True(t, known)
		require.InDelta(t, 0, s.Limits[0].Available, 1e-9)
		k.Reset()
		time.Sleep(time.Hour)
		require.Zero(t, eng.Stats().Keys, "it does not keep the key from being forgotten")
		require.NoError(t, k.Run(t.Context(), succeed))
		ticket, err := k.Admit(t.Context())
		require.NoError(t, err)
		require.Equal(t, `ticket for "conn-42"`, ticket.String())
		ticket.Done(nil)
	})
}

func TestGo(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Second), Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		start := time.Now()
		first := engine.Go(t.Context(), eng, "k", func(context.Context) (int, error) { return 7, nil })
		synctest.Wait()
		second := engine.Go(t.Context(), eng, "k", func(context.Context) (int, error) { runtime.Goexit(); return 8, nil })
		require.Equal(t, 1, cap(first))
		require.Equal(t, engine.Result[int]{Value: 7}, <-first)
		require.Equal(t, engine.ErrGoexit, (<-second).Err)
		require.Equal(t, time.Second, time.Since(start))
		third := <-engine.Go(t.Context(), eng, "k", func(context.Context) (int, error) { return 9, nil })
		rejected(t, third.Err, breaker.ErrOpen)
	})
}

func TestMaxKeys(t *testing.T) {
	cfg := engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Minute)}, Breaker: opensAfter(1), MaxKeys: 2, MaxWait: engine.NoWait,
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("a"))
		time.Sleep(time.Minute) // a is as new again
		require.True(t, eng.AllowN("b", 2))
		require.True(t, eng.Allow("c"), "a makes room")
		require.Equal(t, []uint64{1, 0, 0}, counters(eng))
		synctest.Wait() // an actor that has just answered leaves a moment later, and until then its key is not among those compared
		require.True(t, eng.AllowN("d", 2), "neither b nor c equals a new key; c is closer to it, and is spilled")
		require.Equal(t, []uint64{1, 1, 0}, counters(eng))
		synctest.Wait()
		require.False(t, eng.Allow("b"), "b has not been given anything")
		synctest.Wait()
		require.True(t, eng.Allow("c"), "nor has c, which had one token left")
		require.False(t, eng.Allow("c"))
		require.Equal(t, []uint64{1, 2, 1}, counters(eng))
		require.Equal(t, 2, eng.Stats().Keys)
	})
}

// counters are what became of keys: evicted, spilled, and born with what the sketch knew.
func counters(eng *engine.Engine) []uint64 {
	s := eng.Stats()
	return []uint64{s.Evicted, s.Spilled, s.SketchHits}
}

func TestRejectionsTellWhatToDo(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		r := rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		require.EqualError(t, r, `engine: key "k": breaker: open (retry after 5s)`)
		time.Sleep(2 * time.Second)
		require.Equal(t, 3*time.Second, r.RetryAfter(), "counted from when it is asked")
		time.Sleep(time.Hour)
		require.Equal(t, time.Nanosecond, r.RetryAfter(), "the instant is known, and has come")
	})
}

func TestNamesOfValues(t *testing.T) {
	require.Equal(t, "published mailbox Dispatch(7)", fmt.Sprint(engine.Published, engine.Mailbox, engine.Dispatch(7)))
	require.Equal(t, []engine.Outcome{breaker.Success, breaker.Failure, breaker.Ignore}, []engine.Outcome{engine.Success, engine.Failure, engine.Ignore})
	require.True(t, errors.Is(&engine.Rejection{Err: engine.ErrQueueFull}, engine.ErrQueueFull))
}
