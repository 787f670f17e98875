package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestTokensOfLaterWindowsAreNoDebt: in shadow, calls take the tokens of windows to come.
func TestTokensOfLaterWindowsAreNoDebt(t *testing.T) {
	for name, next := range map[string]limiter.Limiter{
		"bucket": limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Minute)},
		"window": limiter.FixedWindow{Max: 2, Per: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := engine.Config{Limiter: limiter.FixedWindow{Max: 1, Per: time.Minute}, Shadow: true}
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				for range 3 {
					require.NoError(t, eng.Run(t.Context(), "k", succeed))
				}
				cfg := eng.Config()
				cfg.Shadow, cfg.MaxWait, cfg.Limiter = false, engine.NoWait, next
				require.NoError(t, eng.Reconfigure(cfg))
				require.LessOrEqual(t, rejected(t, eng.Run(t.Context(), "k", succeed), limiter.ErrLimited).RetryAfter(), 3*time.Minute)
				time.Sleep(3 * time.Minute)
				require.NoError(t, eng.Run(t.Context(), "k", succeed))
			})
		})
	}
}

// TestAPlanThatIsSlowToFollow has callers that wait at a border while LimiterFor is asked for the new limit.
func TestAPlanThatIsSlowToFollow(t *testing.T) {
	bucket := limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(5, time.Minute)}
	for name, c := range map[string]struct {
		from, to limiter.Limiter
		most     int64 // calls in the minute after the border
	}{
		"window to window": {limiter.FixedWindow{Max: 5, Per: time.Minute}, limiter.FixedWindow{Max: 6, Per: time.Minute}, 6},
		"window to bucket": {limiter.FixedWindow{Max: 5, Per: time.Minute}, bucket, 5 + 5},
		"bucket to window": {bucket, limiter.FixedWindow{Max: 6, Per: time.Minute}, 6},
	} {
		t.Run(name, func(t *testing.T) {
			for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
				synctest.Test(t, func(t *testing.T) { followsSlowly(t, d, c.from, c.to, c.most) })
			}
		})
	}
}

// followsSlowly changes the limit of a key, half a second before a border, while LimiterFor takes a second.
func followsSlowly(t *testing.T, d engine.Dispatch, from, to limiter.Limiter, most int64) {
	var changed atomic.Bool
	var slow, went atomic.Int64
	cfg := engine.Config{Dispatch: d, LimiterFor: func(string) limiter.Limiter {
		time.Sleep(time.Duration(slow.Load()))
		if changed.Load() {
			return to
		}
		return from
	}}
	eng := start(t, cfg)
	for eng.Allow("k") {
		continue
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begin := time.Now()
	for range 5 {
		go func() {
			if eng.Acquire(ctx, "k") == nil && time.Since(begin) >= time.Minute {
				went.Add(1)
			}
		}()
		synctest.Wait()
	}
	time.Sleep(time.Minute - 500*time.Millisecond)
	changed.Store(true)
	slow.Store(int64(time.Second))
	require.NoError(t, eng.Reconfigure(cfg))
	slow.Store(0)
	synctest.Wait()
	for eng.Allow("k") {
		went.Add(1)
	}
	require.LessOrEqual(t, went.Load(), most)
	time.Sleep(10 * time.Minute)
	require.True(t, eng.Allow("k"))
}

// TestABorderRefusesNobodyInTime has a timer that is late, while the window begins in which the call may no longer wait.
func TestABorderRefusesNobodyInTime(t *testing.T) {
	late := &skewed{Clock: clock.System(), fires: func(d time.Duration) time.Duration { return d + 2*time.Millisecond }}
	cfg := engine.Config{
		Limiter: limiter.All(limiter.FixedWindow{Max: 5, Per: time.Minute}, limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Minute-time.Millisecond)}),
		MaxWait: time.Minute - time.Millisecond, Clock: late,
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		require.NoError(t, eng.Acquire(t.Context(), "k"))
		require.InDelta(t, 4, inspect(t, eng, "k").Limits[0].Available, 0, "it counts in the window in which it goes")
	})
}
