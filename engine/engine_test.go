package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/clock/clocktest"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
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
		require.Equal(t, engine.Stats{Admitted: 5, Failures: 2}, eng.Stats(), "there is nothing to keep for a key")
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

// Config returns the configuration that New was given. A caller that changes the result
// changes nothing.
func TestConfigIsWhatIsInForce(t *testing.T) {
	policy := opensAfter(3)
	eng := start(t, engine.Config{Breaker: policy, Retry: &retry.Policy{MaxAttempts: 7}, Limiter: oneEvery(time.Second), MaxQueue: 5})
	policy.FailureThreshold = 100
	for range 2 {
		cfg := eng.Config()
		require.Equal(t, opensAfter(3), cfg.Breaker)
		require.Equal(t, 7, cfg.Retry.MaxAttempts)
		require.Equal(t, oneEvery(time.Second), cfg.Limiter)
		require.Equal(t, 5, cfg.MaxQueue)
		cfg.Breaker.FailureThreshold, cfg.Retry.MaxAttempts = 1, 1
	}
}

func TestLimitsAreThoseOfTheConfiguration(t *testing.T) {
	require.Empty(t, start(t, engine.Config{Retry: &retry.Policy{}}).Limits())
	limits := start(t, engine.Config{Limiter: limiter.All(
		limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(100, time.Minute)},
		limiter.LeakyBucket{Capacity: 3, LeakRate: limiter.PerSecond(2)},
	)}).Limits()
	require.Len(t, limits, 2)
	require.Equal(t, 10, limits[0].Capacity())
	require.Equal(t, 600*time.Millisecond, limits[0].Interval())
	require.Equal(t, 3, limits[1].Capacity())
	require.Equal(t, 500*time.Millisecond, limits[1].Interval())
}

// TestAnHourOfOutage lives through an hour in which the upstream is down for the middle fifty
// minutes: a call every second, with retries, limits and a breaker. The test takes milliseconds, on
// a mock clock that is moved by hand and in a plain bubble.
func TestAnHourOfOutage(t *testing.T) {
	t.Parallel()
	t.Run("mock clock", func(t *testing.T) {
		begin := time.Now()
		clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) { anHourOfOutage(t, m, m.Advance) })
		t.Logf("an hour took %v of real time", time.Since(begin))
	})
	t.Run("plain bubble", func(t *testing.T) {
		begin := time.Now()
		synctest.Test(t, func(t *testing.T) {
			anHourOfOutage(t, clock.System(), func(d time.Duration) { time.Sleep(d); synctest.Wait() })
		})
		t.Logf("an hour took %v of real time", time.Since(begin))
	})
}

func anHourOfOutage(t *testing.T, c clock.Clock, advance func(time.Duration)) {
	eng := start(t, engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 5, RecoveryTimeout: 10 * time.Second},
		Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(100, time.Minute)},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: 500 * time.Millisecond, Seed: 1},
		Clock:   c,
	})
	var ok, failed, refused, calls, downCalls int
	down := false
	results := make(chan error, 16)
	for second := range 3600 {
		down = second >= 300 && second < 3300
		go func() {
			results <- eng.Run(context.Background(), "tenant", func(context.Context) error {
				calls++
				if down {
					downCalls++
					return errDown
				}
				return nil
			})
		}()
		advance(time.Second)
		for len(results) > 0 {
			switch err := <-results; {
			case err == nil:
				ok++
			case errors.Is(err, breaker.ErrOpen):
				refused++
			default:
				failed++
			}
		}
	}
	t.Logf("%d ok, %d failed, %d refused by the breaker; %d calls went upstream, %d of them in the outage", ok, failed, refused, calls, downCalls)
	require.Equal(t, 3600, ok+failed+refused)
	require.GreaterOrEqual(t, ok, 590, "the ten good minutes, but for what the breaker needs to notice that they are back")
	require.LessOrEqual(t, downCalls, 5+3000/10, "one probe per recovery, not a call per second and its retries")
	require.Equal(t, breaker.Closed, inspect(t, eng, "tenant").Breaker)
}
