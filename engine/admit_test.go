package engine_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

func TestAllowNTakesAllOrNothing(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.PerSecond(1)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.AllowN("k", 3))
		require.False(t, eng.AllowN("k", 3))
		require.True(t, eng.AllowN("k", 2))
		require.False(t, eng.AllowN("k", 6), "more than the capacity is never there")
		require.False(t, eng.AllowN("never", 6))
		_ = rejected(t, eng.AcquireN(t.Context(), "never", 6), limiter.ErrExceedsCapacity)
		_, known := eng.Inspect("never")
		require.False(t, known, "a call that can never pass makes no key known")
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

		// Five waiters are granted one a second by the second limit. The first limit never binds.
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

// AdmitWithin is Admit by NoWait for 0, and else by Within.
func TestAdmitWithinIsAdmitOfAKeyThatIsUsedOnce(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(10 * time.Second)}, func(t *testing.T, eng *engine.Engine) {
		for d, took := range map[time.Duration]time.Duration{
			0: -1, 1: -1, 9 * time.Second: -1, 10 * time.Second: 10 * time.Second, math.MaxInt64: 10 * time.Second,
		} {
			eng.Reset("k")
			_, err := eng.AdmitWithin(t.Context(), "k", 0)
			require.NoError(t, err)
			begin := time.Now()
			ticket, err := eng.AdmitWithin(t.Context(), "k", d)
			if took < 0 {
				require.Equal(t, 10*time.Second, rejected(t, err, limiter.ErrLimited).RetryAfter(), d)
				require.Zero(t, time.Since(begin), d)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, took, time.Since(begin), d)
			ticket.Done(nil)
		}
		for _, d := range []time.Duration{-1, math.MinInt64} {
			_, err := eng.AdmitWithin(t.Context(), "k", d)
			invalid, ok := errors.AsType[*engine.ConfigError](err)
			require.True(t, ok)
			require.Equal(t, "Within", invalid.Field)
		}
	})
}

// A panic of Classify counts as a failure for tickets, as for Do.
func TestAPanicOfClassifyCountsForATicket(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(5), Classify: func(error) engine.Outcome { panic("classify") }}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		ticket, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		require.PanicsWithValue(t, "classify", func() { ticket.Done(errDown) })
		require.Equal(t, 1, inspect(t, eng, "k").Failures)
	})
}
