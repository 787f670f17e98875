package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

func TestRetriesAreSpreadByTheSeed(t *testing.T) {
	took := func(t *testing.T, seed uint64) (all []time.Duration) {
		policy := &retry.Policy{MaxAttempts: 3, BaseDelay: time.Second, Seed: seed}
		synctest.Test(t, func(t *testing.T) {
			eng := start(t, engine.Config{Retry: policy})
			for range 5 {
				start := time.Now()
				require.ErrorIs(t, eng.Run(t.Context(), "k", fail), errDown)
				all = append(all, time.Since(start))
			}
		})
		return all
	}
	first := took(t, 7)
	require.Equal(t, first, took(t, 7), "a seed replays")
	require.NotEqual(t, first, took(t, 8))
	require.NotEqual(t, first[0], first[1], "each call has jitter of its own")
	require.NotEqual(t, took(t, 0), took(t, 0), "without a seed it is random")
}

// MaxElapsed counts from the beginning of the first attempt, and bounds the wait of further
// attempts: an attempt that could not begin in time is not waited for.
func TestMaxElapsedBoundsTheWaitOfFurtherAttempts(t *testing.T) {
	cfg := engine.Config{
		Limiter: oneEvery(10 * time.Second),
		Retry:   &retry.Policy{MaxAttempts: 5, BaseDelay: 100 * time.Millisecond, Jitter: retry.NoJitter, MaxElapsed: time.Second},
	}
	for name, c := range map[string]struct {
		limit  limiter.Limiter
		wait   time.Duration
		prior  int // tokens taken before
		calls  int
		lasted time.Duration
	}{
		"one token in ten seconds": {oneEvery(10 * time.Second), 0, 0, 1, 0},
		"also after a wait":        {oneEvery(10 * time.Second), 0, 1, 1, 10 * time.Second},
		"no queue":                 {oneEvery(10 * time.Second), engine.NoWait, 0, 1, 0},
		"leaky":                    {limiter.LeakyBucket{Capacity: 5, LeakRate: limiter.Per(1, 10*time.Second)}, 0, 0, 1, 0},
		"two limits":               {limiter.All(oneEvery(10*time.Second), oneEvery(time.Second)), 0, 0, 1, 0},
		// attempts at 0, 0.4 and 0.8 s; the next would begin at 1.2 s
		"in time": {oneEvery(400 * time.Millisecond), 0, 0, 3, 800 * time.Millisecond},
		// at 0, 0.5 and 1 s, which is within MaxElapsed
		"just in time": {oneEvery(500 * time.Millisecond), 0, 0, 3, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			cfg.Limiter, cfg.MaxWait = c.limit, c.wait
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				for range c.prior {
					eng.Allow("k")
				}
				calls, begin := 0, time.Now()
				err := eng.Run(t.Context(), "k", func(context.Context) error { calls++; return errDown })
				require.Equal(t, c.calls, calls)
				require.Equal(t, c.lasted, time.Since(begin))
				exhausted, ok := errors.AsType[*retry.ExhaustedError](err)
				require.True(t, ok, "%v", err)
				require.Equal(t, c.calls, exhausted.Attempts)
				require.Equal(t, errDown, exhausted.Err, "the last error comes back")
			})
		})
	}
}

// A queue that is late lets no attempt begin past MaxElapsed either.
func TestALateGrantBeginsNoAttemptPastMaxElapsed(t *testing.T) {
	cfg := engine.Config{
		Limiter: oneEvery(time.Second), Clock: tardyClock{clock.System()},
		Retry: &retry.Policy{MaxAttempts: 5, BaseDelay: 10 * time.Millisecond, Jitter: retry.NoJitter, MaxElapsed: time.Second},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		calls := 0
		err := eng.Run(t.Context(), "k", func(context.Context) error { calls++; return errDown })
		require.Equal(t, 1, calls)
		_, ok := errors.AsType[*retry.ExhaustedError](err)
		require.True(t, ok, "%v", err)
		require.Zero(t, eng.Stats().KeptSpent, "the token comes back")
	})
}

// tardyClock has late timers, as of a process that is starved.
type tardyClock struct{ clock.Clock }

func (c tardyClock) NewTimer(d time.Duration) clock.Timer {
	if d > 100*time.Millisecond {
		d += 250 * time.Millisecond
	}
	return c.Clock.NewTimer(d)
}

// Neither a slow RetryIf nor a late timer lets an attempt begin past MaxElapsed.
func TestNoAttemptBeginsPastMaxElapsed(t *testing.T) {
	slow := func(error) bool { time.Sleep(2 * time.Second); return true }
	cfg := engine.Config{Retry: &retry.Policy{
		MaxAttempts: 5, BaseDelay: 500 * time.Millisecond, Jitter: retry.NoJitter, MaxElapsed: time.Second, RetryIf: slow,
	}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		calls, begin := 0, time.Now()
		err := eng.Run(t.Context(), "k", func(context.Context) error { calls++; return errDown })
		require.Equal(t, 1, calls)
		require.Equal(t, 2*time.Second, time.Since(begin), "no backoff is slept in vain")
		exhausted, ok := errors.AsType[*retry.ExhaustedError](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, errDown, exhausted.Err)
	})
}

// When a backoff and the context end together, no attempt follows, and no token is taken.
func TestNoAttemptBeginsAfterItsCallerHasLeft(t *testing.T) {
	cfg := engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Hour)},
		Retry:   &retry.Policy{MaxAttempts: 2, BaseDelay: time.Second, Jitter: retry.NoJitter},
	}
	leaving := &leavingClock{Clock: clock.System()}
	cfg.Clock = leaving
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		for range 100 {
			eng.Reset("k")
			ctx, cancel := context.WithCancelCause(t.Context())
			leaving.leave = func() { cancel(errDown) }
			calls := 0
			err := eng.Run(ctx, "k", func(context.Context) error { calls++; return errSlow })
			require.Equal(t, 1, calls)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, errDown)
			require.ErrorIs(t, err, errSlow)
			require.InDelta(t, 9, inspect(t, eng, "k").Limits[0].Available, 0.1)
		}
	})
}

// leavingClock has the caller leave at the very instant at which the backoff ends.
type leavingClock struct {
	clock.Clock
	leave func()
}

func (c *leavingClock) NewTimer(d time.Duration) clock.Timer {
	if d != time.Second {
		return c.Clock.NewTimer(d)
	}
	c.leave()
	return c.Clock.NewTimer(0)
}

// A context whose error is neither of the two of package context has ended too: no attempt follows.
func TestNoAttemptFollowsAForeignEnd(t *testing.T) {
	cfg := engine.Config{Retry: &retry.Policy{MaxAttempts: 5, BaseDelay: time.Second}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		ctx, calls := &endsAt{Context: t.Context(), err: errors.New("moved on"), looks: 3}, 0
		require.ErrorIs(t, eng.Run(ctx, "k", func(context.Context) error { calls++; return errDown }), errDown)
		require.Equal(t, 1, calls)
	})
}

// When the deadline passes during the last attempt, the error holds the reason, too.
func TestAnExhaustedCallHoldsTheCauseOfItsDeadline(t *testing.T) {
	eachDispatch(t, engine.Config{Retry: &retry.Policy{BaseDelay: time.Second}}, func(t *testing.T, eng *engine.Engine) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errSlow)
		defer cancel()
		err := eng.Run(ctx, "k", func(context.Context) error { time.Sleep(2 * time.Second); return errDown })
		_, ok := errors.AsType[*retry.ExhaustedError](err)
		require.True(t, ok, "%v", err)
		for _, holds := range []error{errDown, errSlow, context.DeadlineExceeded} {
			require.ErrorIs(t, err, holds)
		}
	})
}
