package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestRowFixedWindow: a bubble begins at midnight.
func TestRowFixedWindow(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.FixedWindow{Max: 3, Per: time.Minute, Offset: 10 * time.Second}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		status := func() limiter.Status { return inspect(t, eng, "k").Limits[0] }
		for range 3 {
			require.True(t, eng.Allow("k"))
		}
		require.False(t, eng.Allow("k"))
		require.Equal(t, limiter.Status{Available: 0, Wait: 10 * time.Second, Ends: 10 * time.Second}, status())
		require.Equal(t, 10*time.Second, rejected(t, eng.Key("k").NoWait().Run(t.Context(), succeed), limiter.ErrLimited).RetryAfter())

		time.Sleep(10*time.Second - 1)
		require.False(t, eng.Allow("k"), "the last instant of the window")
		time.Sleep(time.Nanosecond)
		require.Equal(t, limiter.Status{Available: 3, Ends: time.Minute}, status(), "the first instant of the next")
		require.True(t, eng.AllowN("k", 2))
		time.Sleep(30 * time.Second)
		require.Equal(t, limiter.Status{Available: 1, Ends: 30 * time.Second}, status(), "nothing comes within a window")
		require.False(t, eng.AllowN("k", 2))
		require.True(t, eng.Allow("k"))
		require.ErrorIs(t, eng.AcquireN(t.Context(), "k", 4), limiter.ErrExceedsCapacity)
	})
}

func TestRowFixedWindowWaitersGoWithTheNextWindow(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.FixedWindow{Max: 2, Per: time.Minute}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		begin := time.Now()
		require.True(t, eng.AllowN("k", 2))
		went := make([]<-chan error, 5)
		at := make([]time.Duration, len(went))
		for i := range went {
			went[i] = inBackground(func() error {
				err := eng.Run(t.Context(), "k", succeed)
				at[i] = time.Since(begin)
				return err
			})
			synctest.Wait()
		}
		require.Equal(t, limiter.Status{Queued: 5, Wait: 3 * time.Minute, Ends: time.Minute}, inspect(t, eng, "k").Limits[0])
		require.Equal(t, 3*time.Minute, rejected(t, eng.Key("k").NoWait().Run(t.Context(), succeed), limiter.ErrLimited).RetryAfter())
		for i := range went {
			require.NoError(t, <-went[i])
		}
		require.Equal(t, []time.Duration{time.Minute, time.Minute, 2 * time.Minute, 2 * time.Minute, 3 * time.Minute}, at)
	})
}

func TestRowFixedWindowCountsCalls(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.FixedWindow{Max: 2, Per: time.Minute}, MaxWait: engine.NoWait}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		all := start(t, engine.Config{Dispatch: eng.Config().Dispatch, Limiter: limiter.FixedWindow{Max: 5, Per: time.Minute}})
		chain := engine.Chain(eng.Key("k"), all.Key("all"))
		for range 3 {
			time.Sleep(20 * time.Second)
			require.NoError(t, eng.Run(t.Context(), "k", succeed))
			time.Sleep(20 * time.Second)
			require.NoError(t, chain.Run(t.Context(), succeed))
			rejected(t, eng.Run(t.Context(), "k", succeed), limiter.ErrLimited)
			rejected(t, chain.Run(t.Context(), succeed), limiter.ErrLimited)
			require.Equal(t, limiter.Status{Available: 0, Wait: 20 * time.Second, Ends: 20 * time.Second}, inspect(t, eng, "k").Limits[0])
			time.Sleep(20 * time.Second)
		}
	})
}

// TestASpilledKeyWaitsForTheNextWindow after a change, and no longer.
func TestASpilledKeyWaitsForTheNextWindow(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.FixedWindow{Max: 20, Per: time.Minute}, MaxWait: engine.NoWait, MaxKeys: 2, Breaker: opensAfter(1)}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		time.Sleep(10 * time.Second)
		require.True(t, eng.AllowN("k", 20))
		pushOut(t, eng, "k")
		cfg := eng.Config()
		cfg.Limiter = limiter.FixedWindow{Max: 7, Per: time.Minute}
		require.NoError(t, eng.Reconfigure(cfg))
		require.False(t, eng.Allow("k"))
		time.Sleep(time.Minute - time.Since(time.Now().Truncate(time.Minute)))
		require.True(t, eng.AllowN("k", 7))
	})
}

// TestRowFixedWindowWaitersThatDoNotFit has callers that wait longer than the tokens alone would let them, and never longer than they may.
func TestRowFixedWindowWaitersThatDoNotFit(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.FixedWindow{Max: 3, Per: time.Minute}, MaxWait: 2 * time.Minute}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		begin := time.Now()
		require.True(t, eng.AllowN("k", 3))
		var went []<-chan error
		for range 3 { // six tokens are two windows, but two of these calls fit in none
			went = append(went, inBackground(func() error { return eng.AcquireN(t.Context(), "k", 2) }))
			synctest.Wait()
		}
		require.NoError(t, <-went[0])
		require.Equal(t, time.Minute, time.Since(begin))
		require.NoError(t, <-went[1])
		require.Equal(t, 2*time.Minute, time.Since(begin))
		rejected(t, <-went[2], limiter.ErrLimited)
		require.Equal(t, 2*time.Minute, time.Since(begin).Truncate(time.Second), "refused when its time is up")
		require.True(t, eng.Allow("k"), "and its tokens are free")
	})
}

func TestRowFixedWindowChargesEndWithTheirWindow(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.FixedWindow{Max: 100, Per: time.Minute}, MaxWait: engine.NoWait}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		k := eng.Key("k")
		require.NoError(t, k.Run(t.Context(), succeed))
		k.Charge(2000)
		require.Equal(t, time.Minute, rejected(t, k.Run(t.Context(), succeed), limiter.ErrLimited).RetryAfter())
		time.Sleep(time.Minute)
		require.True(t, eng.AllowN("k", 100))
		require.False(t, eng.Allow("k"))
	})
}

// TestAWindowWithABucket has a quota per minute and a pace.
func TestAWindowWithABucket(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.All(
		limiter.FixedWindow{Max: 4, Per: time.Minute}, limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, 10*time.Second)},
	)}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		begin := time.Now()
		var at []time.Duration
		for range 8 {
			require.NoError(t, eng.Acquire(t.Context(), "k"))
			at = append(at, time.Since(begin)/time.Second)
		}
		require.Equal(t, []time.Duration{0, 0, 10, 20, 60, 60, 70, 80}, at)
	})
}

// TestALateGrantCountsInTheWindowInWhichItComes has a timer that is late by more than a window.
func TestALateGrantCountsInTheWindowInWhichItComes(t *testing.T) {
	late := &skewed{Clock: clock.System(), fires: exactly}
	cfg := engine.Config{Limiter: limiter.FixedWindow{Max: 1, Per: 4 * time.Millisecond}, Clock: late}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		defer late.ahead.Store(0)
		require.True(t, eng.Allow("k"))
		waiting := inBackground(func() error { return eng.Acquire(t.Context(), "k") })
		synctest.Wait()
		late.ahead.Store(int64(5 * time.Millisecond)) // the timer of 4 ms fires at 9 ms
		require.NoError(t, <-waiting)
		require.False(t, eng.Allow("k"), "the grant is in this window, not in the one before")
	})
}

func TestAWindowOfAChainThatIsRefusedStaysFull(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: limiter.FixedWindow{Max: 5, Per: time.Hour}}, func(t *testing.T, user *engine.Engine) {
		wide := start(t, engine.Config{Limiter: limiter.FixedWindow{Max: 1, Per: time.Hour}, MaxWait: engine.NoWait})
		chain := engine.Chain(user.Key("u"), wide.Key("all"))
		require.NoError(t, chain.Run(t.Context(), succeed))
		for range 10 {
			require.Equal(t, time.Hour, rejected(t, chain.Run(t.Context(), succeed), limiter.ErrLimited).RetryAfter())
		}
		require.InDelta(t, 4, inspect(t, user, "u").Limits[0].Available, 0)
		require.Zero(t, user.Stats().KeptSpent)
	})
}

// TestPlansOfWindows has windows that begin at the epoch for every key, whenever the key is born or its limit changes.
func TestPlansOfWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		most := map[string]int{"a": 2, "b": 3}
		cfg := engine.Config{MaxWait: engine.NoWait, IdleAfter: 10 * time.Second, LimiterFor: func(key string) limiter.Limiter {
			return limiter.FixedWindow{Max: most[key], Per: time.Minute}
		}}
		eng := start(t, cfg)
		for _, step := range []struct {
			key        string
			left, ends int // after a call
		}{{"a", 1, 43}, {"b", 2, 26}, {"a", 0, 9}, {"b", 2, 52}} {
			time.Sleep(17 * time.Second)
			require.True(t, eng.Allow(step.key))
			s := inspect(t, eng, step.key).Limits[0]
			require.Equal(t, limiter.Status{Available: float64(step.left), Wait: s.Wait, Ends: time.Duration(step.ends) * time.Second}, s)
		}
		most["b"] = 5
		eng.Refresh("b")
		require.InDelta(t, 2, inspect(t, eng, "b").Limits[0].Available, 0, "what is left stays")
		cfg.LimiterFor, cfg.Limiter = nil, limiter.FixedWindow{Max: 7, Per: time.Minute, Offset: time.Second}
		require.NoError(t, eng.Reconfigure(cfg))
		require.Equal(t, limiter.Status{Available: 2, Ends: 53 * time.Second}, inspect(t, eng, "b").Limits[0])
	})
}

func TestAWindowNeedsNoAllocation(t *testing.T) {
	eng := start(t, engine.Config{Limiter: limiter.FixedWindow{Max: 1e6, Per: time.Hour}})
	k := eng.Key("k")
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = k.Run(context.Background(), succeed) }))
	require.Zero(t, eng.Stats().Actors)
}
