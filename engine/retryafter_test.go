package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// RetryAfter is when breaker and limiter let the call pass, and not when one of them does.
func TestRetryAfterKnowsEveryStage(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Limiter: oneEvery(time.Minute), MaxWait: engine.NoWait}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		r := rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		require.Equal(t, time.Minute, r.RetryAfter())
		time.Sleep(5 * time.Second)
		r = rejected(t, eng.Run(t.Context(), "k", succeed), limiter.ErrLimited)
		require.Equal(t, 55*time.Second, r.RetryAfter())
		time.Sleep(r.RetryAfter())
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
	})
}

// Tokens that are taken while the breaker is open count, too.
func TestRetryAfterOfAnOpenBreakerFollowsTheBucket(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, time.Minute)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		for _, after := range []time.Duration{5 * time.Second, 5 * time.Second, time.Minute} {
			require.Equal(t, after, rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen).RetryAfter())
			eng.Allow("k")
		}
		waiting := inBackground(func() error { return eng.Acquire(t.Context(), "k") })
		synctest.Wait()
		require.Equal(t, 2*time.Minute, rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen).RetryAfter())
		require.NoError(t, <-waiting)
	})
}

// The refusal of a further attempt knows every stage, too.
func TestRetryAfterOfAStoppedCallKnowsEveryStage(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Limiter: oneEvery(time.Minute), Retry: &retry.Policy{BaseDelay: time.Second, Jitter: retry.NoJitter}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		err := eng.Run(t.Context(), "k", fail)
		require.ErrorIs(t, err, errDown)
		require.Equal(t, time.Minute, rejected(t, err, breaker.ErrOpen).RetryAfter())
	})
}

// Whatever was done before: a call that comes back at exactly the instant that it was told is let through, and one a nanosecond
// earlier is not, if nothing else comes.
func TestRetryAfterIsTheFirstInstant(t *testing.T) {
	seed := random(t).Uint64()
	for round := range 200 {
		rng := rand.New(rand.NewPCG(seed, uint64(round)))
		limits := []limiter.Limiter{
			limiter.TokenBucket{Capacity: 1 + rng.IntN(3), RefillRate: limiter.Per(1, time.Duration(1+rng.IntN(20))*time.Second)},
			limiter.LeakyBucket{Capacity: 1 + rng.IntN(3), LeakRate: limiter.Per(1, time.Duration(1+rng.IntN(20))*time.Second)},
		}
		cfg := engine.Config{
			Breaker:  &breaker.Policy{FailureThreshold: 1 + rng.IntN(2), RecoveryTimeout: time.Duration(1+rng.IntN(20)) * time.Second, ForgetAfter: time.Hour},
			Limiter:  []limiter.Limiter{nil, limits[0], limits[1], limiter.All(limits...)}[rng.IntN(4)],
			MaxWait:  engine.NoWait,
			Dispatch: engine.Dispatch(rng.IntN(2)),
		}
		synctest.Test(t, func(t *testing.T) {
			eng := start(t, cfg)
			for range 1 + rng.IntN(12) {
				switch rng.IntN(4) {
				case 0:
					eng.Allow("k")
				case 1:
					time.Sleep(time.Duration(rng.IntN(4000)) * time.Millisecond)
				default:
					_ = eng.Run(t.Context(), "k", []func(context.Context) error{fail, succeed}[rng.IntN(2)])
				}
			}
			var r *engine.Rejection
			if err := eng.Run(t.Context(), "k", succeed); !errors.As(err, &r) {
				return
			}
			at := time.Now().Add(r.RetryAfter())
			require.Positive(t, r.RetryAfter())
			time.Sleep(time.Until(at) - 1)
			if time.Until(at) > 0 {
				require.Error(t, eng.Run(t.Context(), "k", succeed), "round %d", round)
			}
			time.Sleep(time.Until(at))
			require.NoError(t, eng.Run(t.Context(), "k", succeed), "round %d", round)
		})
	}
}

// MaxElapsed counts from when the first attempt began, and bounds the wait of further ones: an attempt that could not begin in time is
// not waited for.
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
		require.EqualValues(t, 1, eng.Stats().KeptSpent)
	})
}

// tardyClock has timers that are late, as those of a process that is starved.
type tardyClock struct{ clock.Clock }

func (c tardyClock) NewTimer(d time.Duration) clock.Timer {
	if d > 100*time.Millisecond {
		d += 250 * time.Millisecond
	}
	return c.Clock.NewTimer(d)
}

// Neither a RetryIf that takes its time nor a timer that is late lets an attempt begin past MaxElapsed.
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
