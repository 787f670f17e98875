package engine_test

import (
	"context"
	"errors"
	"math"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// The rows of "Semantics" in docs/design.md that are about waiting, time and configuration.

func TestRowWaiting(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Second)}, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		var mu sync.Mutex
		var order []int
		start := time.Now()
		for i := range 5 {
			go func() {
				if eng.Acquire(t.Context(), "k") == nil {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, i)
				}
			}()
			synctest.Wait()
		}
		require.Equal(t, 5, inspect(t, eng, "k").Waiting)
		require.False(t, eng.Allow("k"), "newcomers never overtake")
		require.InDelta(t, 0, inspect(t, eng, "k").Limits[0].Available, 1e-9, "a token is debited when granted, not when queued")
		time.Sleep(2500 * time.Millisecond)
		require.False(t, eng.Allow("k"))
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, []int{0, 1, 2, 3, 4}, order)
		require.Equal(t, 5*time.Second, time.Since(start))
		require.Zero(t, inspect(t, eng, "k").Waiting)
	})
}

func TestRowWaitingACancelledWaitFreesItsPlaceExactly(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.PerSecond(1)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.AllowN("k", 5))
		ctx, cancel := context.WithCancel(t.Context())
		first := inBackground(func() error { return eng.AcquireN(ctx, "k", 5) })
		synctest.Wait()
		second := inBackground(func() error { return eng.AcquireN(t.Context(), "k", 2) })
		synctest.Wait()
		time.Sleep(3 * time.Second) // three tokens: enough for the second caller, which must not overtake
		require.Equal(t, 2, inspect(t, eng, "k").Waiting)
		cancel()
		require.ErrorIs(t, <-first, context.Canceled)
		start := time.Now()
		require.NoError(t, <-second)
		require.Zero(t, time.Since(start), "everyone behind moves up, at once")
		require.InDelta(t, 1, inspect(t, eng, "k").Limits[0].Available, 1e-9, "and no token is lost")
	})
}

func TestRowWaitingQueueFull(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Second), MaxQueue: 2}, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		for range 2 {
			go func() { _ = eng.Acquire(t.Context(), "k") }()
		}
		synctest.Wait()
		r := rejected(t, eng.Acquire(t.Context(), "k"), engine.ErrQueueFull)
		require.Equal(t, 3*time.Second, r.RetryAfter(), "behind all now queued")
		time.Sleep(r.RetryAfter())
		require.Equal(t, time.Nanosecond, r.RetryAfter())
		require.NoError(t, eng.Acquire(t.Context(), "k"))
	})
}

func TestRowDoomedWait(t *testing.T) {
	cfg := engine.Config{Limiter: oneEvery(time.Second), MaxWait: 2 * time.Second}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
		defer cancel()
		r := rejected(t, eng.Acquire(ctx, "k"), limiter.ErrLimited)
		require.Equal(t, time.Second, r.RetryAfter(), "the wait would outlive the context")

		for range 2 {
			go func() { _ = eng.Acquire(t.Context(), "k") }()
		}
		synctest.Wait()
		r = rejected(t, eng.Acquire(t.Context(), "k"), limiter.ErrLimited)
		require.Equal(t, 3*time.Second, r.RetryAfter(), "the wait would be longer than MaxWait")
		require.Zero(t, time.Since(start), "refused at once")
		require.Equal(t, 2, inspect(t, eng, "k").Waiting)
		time.Sleep(time.Minute)
	})
}

func TestRowDoomedWaitNoWaitNeverQueues(t *testing.T) {
	cfg := engine.Config{Limiter: oneEvery(time.Second), MaxWait: engine.NoWait, Breaker: opensAfter(5)}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		require.Equal(t, time.Second, rejected(t, eng.Run(t.Context(), "k", succeed), limiter.ErrLimited).RetryAfter())
		rejected(t, eng.Acquire(t.Context(), "k"), limiter.ErrLimited)
		_, err := eng.Admit(t.Context(), "k")
		rejected(t, err, limiter.ErrLimited)
	})
}

func TestRowACtxThatHasEnded(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Second), Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.True(t, eng.Run(ctx, "k", func(context.Context) error { panic("called") }) == context.Canceled)
		require.True(t, eng.Acquire(ctx, "k") == context.Canceled)
		_, err := eng.Admit(ctx, "k")
		require.True(t, err == context.Canceled)
		require.Equal(t, context.Canceled, (<-engine.Go(ctx, eng, "k", func(context.Context) (int, error) { return 1, nil })).Err)
		require.Zero(t, eng.Stats().Keys, "it touches nothing")
	})
}

func TestRowRetryAfterIsTheInstant(t *testing.T) {
	t.Parallel()
	for p := int64(1); p <= 40; p++ {
		for q := int64(1); q <= 5; q++ {
			synctest.Test(t, func(t *testing.T) {
				eng := start(t, engine.Config{
					Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(p, time.Duration(q)*time.Second)},
					MaxWait: engine.NoWait,
				})
				require.True(t, eng.AllowN("k", 3))
				for range 3 {
					r := rejected(t, eng.Acquire(t.Context(), "k"), limiter.ErrLimited)
					time.Sleep(r.RetryAfter() - 1)
					rejected(t, eng.Acquire(t.Context(), "k"), limiter.ErrLimited)
					time.Sleep(time.Nanosecond)
					require.NoError(t, eng.Acquire(t.Context(), "k"), "rate %d/%ds", p, q)
				}
			})
		}
	}
}

func TestRowRetryAfterOfAnOpenBreaker(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		r := rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		time.Sleep(r.RetryAfter() - 1)
		require.Equal(t, breaker.Open, inspect(t, eng, "k").Breaker)
		rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		time.Sleep(time.Nanosecond)
		require.Equal(t, breaker.HalfOpen, inspect(t, eng, "k").Breaker, "it shows without a call (LimitPal fault 19)")
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
	})
}

func TestRowTimeInArithmetic(t *testing.T) {
	// A rate that no binary fraction expresses, for half a simulated hour: never above capacity +
	// rate × time, and not a token below, except for the rounding of the interval, which is under 1
	// ns a token.
	synctest.Test(t, func(t *testing.T) {
		eng := start(t, engine.Config{Limiter: limiter.TokenBucket{Capacity: 7, RefillRate: limiter.PerSecond(0.7)}, MaxWait: engine.NoWait})
		admitted := 0
		begin := time.Now()
		for step := range 365 {
			for eng.Allow("k") {
				admitted++
			}
			elapsed := time.Since(begin).Seconds()
			require.LessOrEqual(t, float64(admitted), 7+0.7*elapsed, "step %d", step)
			time.Sleep(5 * time.Second)
		}
		require.InDelta(t, 7+0.7*5*364, admitted, 1)
	})
}

func TestRowBadConfig(t *testing.T) {
	_, err := engine.New(engine.Config{
		Limiter:   limiter.All(limiter.TokenBucket{Capacity: -1, RefillRate: limiter.PerSecond(math.NaN())}, nil),
		Breaker:   &breaker.Policy{FailureThreshold: -2},
		Retry:     &retry.Policy{Backoff: 0.5, BaseDelay: 2 * time.Second, MaxDelay: time.Second},
		MaxWait:   -5,
		MaxQueue:  -6,
		MaxKeys:   -7,
		IdleAfter: -8,
		Dispatch:  9,
	})
	require.Error(t, err)
	got := map[string]any{}
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
		c, ok := errors.AsType[*engine.ConfigError](err)
		require.True(t, ok, "%T: %v", err, err)
		require.NotEmpty(t, c.Reason)
		require.Contains(t, err.Error(), c.Field)
		got[c.Field] = c.Value
	}
	for field, value := range map[string]any{
		"Limiter[0].Capacity":      -1,
		"Limiter[1]":               nil,
		"Breaker.FailureThreshold": -2,
		"Retry.Backoff":            0.5,
		"Retry.MaxDelay":           time.Second,
		"MaxWait":                  time.Duration(-5),
		"MaxQueue":                 -6,
		"MaxKeys":                  -7,
		"IdleAfter":                time.Duration(-8),
		"Dispatch":                 engine.Dispatch(9),
	} {
		require.Contains(t, got, field)
		require.Equal(t, value, got[field], field)
	}
	require.Contains(t, got, "Limiter[0].RefillRate")

	_, err = engine.New(engine.Config{Limiter: limiter.TokenBucket{Capacity: 0, RefillRate: limiter.PerSecond(2e9)}})
	require.ErrorContains(t, err, "engine: Limiter.Capacity = 0: must be at least 1")
	require.ErrorContains(t, err, "engine: Limiter.RefillRate = 2e+09/s: must not be above 1e9 per second")
	if strconv.IntSize == 64 {
		most := math.MaxInt32
		_, err = engine.New(engine.Config{MaxKeys: most + 1})
		require.EqualError(t, err, "engine: MaxKeys = 2147483648: must be 0 (the default) to 2,147,483,647")
	}
}

func TestRowUserCode(t *testing.T) {
	// Classify, RetryIf and fn may all use the engine for the same key: no user code runs inside
	// the key's actor.
	var eng *engine.Engine
	cfg := engine.Config{
		Breaker:  opensAfter(100),
		Limiter:  limiter.TokenBucket{Capacity: 100, RefillRate: limiter.PerSecond(1)},
		Classify: func(error) engine.Outcome { eng.Inspect("k"); eng.Allow("k"); return engine.Failure },
		Retry:    &retry.Policy{RetryIf: func(error) bool { eng.Inspect("k"); return eng.Allow("k") }},
	}
	eachDispatch(t, cfg, func(t *testing.T, e *engine.Engine) {
		eng = e
		err := eng.Run(t.Context(), "k", func(ctx context.Context) error {
			return eng.Run(ctx, "k", func(ctx context.Context) error { return eng.Run(ctx, "k", fail) })
		})
		require.ErrorIs(t, err, errDown)
	})
}

func TestRowEviction(t *testing.T) {
	t.Parallel()
	cfg := engine.Config{
		Breaker:   &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: 30 * time.Minute},
		Limiter:   limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Minute)},
		IdleAfter: time.Minute,
		MaxWait:   engine.NoWait,
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.AllowN("drained", 10))
		failTimes(t, eng, "broken", 1)
		require.NoError(t, eng.Run(t.Context(), "used", succeed))
		time.Sleep(5 * time.Minute)
		require.Equal(t, 2, eng.Stats().Keys, "only what equals a new key goes")
		require.Zero(t, eng.Stats().Actors, "idle keys have no goroutine, dirty or not")
		require.False(t, eng.AllowN("drained", 6), "going to sleep grants nothing")
		rejected(t, eng.Run(t.Context(), "broken", succeed), breaker.ErrOpen)
		time.Sleep(6 * time.Hour)
		want := engine.Stats{Evicted: 3, Admitted: 3, Limited: 1, Open: 1, Successes: 1, Failures: 1}
		require.Equal(t, want, eng.Stats(), "every key becomes as new, and is forgotten")
	})
}

func TestRowEvictionACallStillRunningReportsToTheCurrentCell(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), IdleAfter: time.Minute}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failed, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		fine, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		handle := eng.Key("k")
		byHandle, err := handle.Admit(t.Context())
		require.NoError(t, err)
		time.Sleep(time.Hour)
		require.Zero(t, eng.Stats().Keys)
		fine.Done(nil)
		require.Zero(t, eng.Stats().Keys, "a success makes no key known")
		failed.Done(errDown)
		require.Equal(t, breaker.Open, inspect(t, eng, "k").Breaker)

		// The successor's first period is over: now a result of the predecessor is late.
		eng.Reset("k")
		byHandle.Done(errDown)
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
		require.NoError(t, handle.Run(t.Context(), succeed), "a handle survives the eviction of its key")
	})
}
