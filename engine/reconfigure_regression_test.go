package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestAHalfOpenBreakerThatNeedsFewerSuccesses than it has counted lets a probe through, and closes with its
// success. Each turn of such a key panicked.
func TestAHalfOpenBreakerThatNeedsFewerSuccesses(t *testing.T) {
	cfg := engine.Config{Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Second, HalfOpenSuccesses: 3}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		time.Sleep(time.Second)
		for range 2 {
			require.NoError(t, eng.Run(t.Context(), "k", succeed))
		}
		synctest.Wait() // the last success is counted
		fewer := eng.Config()
		fewer.Breaker.HalfOpenSuccesses = 1
		require.NoError(t, eng.Reconfigure(fewer))
		require.Equal(t, breaker.HalfOpen, inspect(t, eng, "k").Breaker)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		synctest.Wait()
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
		require.Zero(t, eng.Stats().Restarts)
	})
}

// TestASpilledBreakerThatOpenedByAnotherPolicy comes back open until the instant that the other policy
// named. It came back with the recovery time of the policy in force.
func TestASpilledBreakerThatOpenedByAnotherPolicy(t *testing.T) {
	cfg := engine.Config{MaxKeys: 1, Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Minute}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		synctest.Wait()
		shorter := eng.Config()
		shorter.Breaker.RecoveryTimeout = time.Second
		require.NoError(t, eng.Reconfigure(shorter))
		require.Equal(t, time.Minute, inspect(t, eng, "k").OpenFor)
		require.NoError(t, eng.Run(t.Context(), "other", succeed))
		require.EqualValues(t, 1, eng.Stats().Spilled)
		time.Sleep(time.Minute - 1)
		require.ErrorIs(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		time.Sleep(time.Nanosecond)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
	})
}

// TestAChangeRevivesNoFailure that was forgotten by then, and no breaker that had closed: they counted by the new
// ForgetAfter.
func TestAChangeRevivesNoFailure(t *testing.T) {
	cfg := engine.Config{IdleAfter: 24 * time.Hour, Breaker: &breaker.Policy{FailureThreshold: 3, RecoveryTimeout: time.Second, ForgetAfter: time.Minute}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "two failures", 2)
		failTimes(t, eng, "was open", 3)
		time.Sleep(time.Minute)
		longer := eng.Config()
		longer.Breaker.ForgetAfter = time.Hour
		require.NoError(t, eng.Reconfigure(longer))
		failTimes(t, eng, "two failures", 1)
		synctest.Wait()
		require.Equal(t, 1, inspect(t, eng, "two failures").Failures)
		require.Equal(t, breaker.Closed, inspect(t, eng, "was open").Breaker)
	})
}

// TestASpilledKeyOwesAcrossChanges of which no call of its plan heard: by the second change its bucket counted as full,
// however soon it came, since nobody had asked for a limit in between.
func TestASpilledKeyOwesAcrossChanges(t *testing.T) {
	five := bucketOf(5, limiter.Per(1, time.Hour))
	cfg := engine.Config{MaxKeys: 1, LimiterFor: func(string) limiter.Limiter { return five }}
	for changes := 1; changes <= 3; changes++ {
		eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
			require.True(t, eng.AllowN("k", 5))
			require.True(t, eng.Allow("other"))
			require.EqualValues(t, 1, eng.Stats().Spilled)
			for range changes {
				time.Sleep(time.Second)
				require.NoError(t, eng.Reconfigure(eng.Config()))
			}
			require.False(t, eng.Allow("k"), "%d changes", changes)
		})
	}
}

// TestARefreshOfAKeyThatHasFilledSince it was spilled takes no tokens. The key came back empty as of Refresh if its
// bucket had lacked a token at the last change, however long before.
func TestARefreshOfAKeyThatHasFilledSince(t *testing.T) {
	for _, since := range []time.Duration{time.Second, time.Minute} {
		cfg := engine.Config{MaxKeys: 1, LimiterFor: func(string) limiter.Limiter { return bucketOf(5, limiter.PerSecond(1)) }}
		eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
			require.True(t, eng.AllowN("k", 5))
			require.True(t, eng.Allow("other"))
			require.NoError(t, eng.Reconfigure(eng.Config()))
			time.Sleep(since)
			eng.Refresh("k")
			eng.Refresh("k")
			require.Equal(t, since == time.Minute, eng.AllowN("k", 5))
			require.NoError(t, eng.Reconfigure(eng.Config()))
			require.False(t, eng.AllowN("k", 5))
		})
	}
}

// TestAWideLimitThatBeginsIsSeenByThoseWhoWait at a narrow key: they passed a wide engine that asked nothing when
// they came.
func TestAWideLimitThatBeginsIsSeenByThoseWhoWait(t *testing.T) {
	one := bucketOf(1, limiter.Per(1, time.Hour))
	for name, begins := range map[string]struct {
		change func(*engine.Config)
		reason error
	}{
		"a limit":         {func(c *engine.Config) { c.Limiter = one }, limiter.ErrLimited},
		"limits of keys":  {func(c *engine.Config) { c.LimiterFor = func(string) limiter.Limiter { return one } }, limiter.ErrLimited},
		"a breaker":       {func(c *engine.Config) { c.Breaker = &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Hour} }, breaker.ErrOpen},
		"one in shadow":   {func(c *engine.Config) { c.Limiter, c.Shadow = one, true }, nil},
		"nothing, really": {func(c *engine.Config) { c.MaxQueue = 7 }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, engine.Config{Name: "narrow", Limiter: bucketOf(1, limiter.PerSecond(1))}, func(t *testing.T, narrow *engine.Engine) {
				wide := start(t, engine.Config{Name: "wide", MaxWait: engine.NoWait, Dispatch: narrow.Config().Dispatch})
				require.True(t, narrow.Allow("k"))
				waiter := inBackground(func() error { return engine.Chain(narrow.Key("k"), wide.Key("all")).Run(t.Context(), succeed) })
				synctest.Wait()
				cfg := wide.Config()
				begins.change(&cfg)
				require.NoError(t, wide.Reconfigure(cfg))
				_ = wide.Run(t.Context(), "all", fail) // takes the token, and opens the breaker
				require.ErrorIs(t, <-waiter, begins.reason)
				if begins.reason != nil {
					require.True(t, narrow.Allow("k"), "the narrow token is back")
				}
			})
		})
	}
}
