package engine_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

func bucketOf(capacity int, rate limiter.Rate) limiter.TokenBucket {
	return limiter.TokenBucket{Capacity: capacity, RefillRate: rate}
}

// tokensOf returns the tokens that key, which is known, has.
func tokensOf(t *testing.T, eng *engine.Engine, key string) float64 {
	t.Helper()
	s, known := eng.Inspect(key)
	require.True(t, known, key)
	return s.Limits[0].Available
}

// TestRowLimitsThatDifferAndChange: tokens stay, up to the new capacity, fractions included, also of a key that nobody uses.
func TestRowLimitsThatDifferAndChange(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: bucketOf(10, limiter.Per(1, time.Second))}, func(t *testing.T, eng *engine.Engine) {
		cfg := eng.Config()
		require.True(t, eng.AllowN("empty", 10))
		require.True(t, eng.AllowN("half", 5))
		require.True(t, eng.AllowN("full", 1))
		time.Sleep(2500 * time.Millisecond)

		cfg.Limiter = bucketOf(20, limiter.Per(1, time.Minute))
		require.NoError(t, eng.Reconfigure(cfg))
		require.InDelta(t, 2.5, tokensOf(t, eng, "empty"), 1e-9)
		require.InDelta(t, 7.5, tokensOf(t, eng, "half"), 1e-9)
		require.InDelta(t, 10, tokensOf(t, eng, "full"), 1e-9, "as many as it had, not as many as there may be")
		require.True(t, eng.Allow("new"))
		require.InDelta(t, 9, tokensOf(t, eng, "new"), 1e-9, "what it would have if it had been known before")
		time.Sleep(time.Minute)
		require.InDelta(t, 3.5, tokensOf(t, eng, "empty"), 1e-9)

		cfg.Limiter = bucketOf(3, limiter.PerSecond(1000))
		require.NoError(t, eng.Reconfigure(cfg))
		require.InDelta(t, 3, tokensOf(t, eng, "empty"), 1e-9)
		cfg.Limiter = nil
		require.NoError(t, eng.Reconfigure(cfg))
		require.True(t, eng.AllowN("empty", 1000), "there is no limit")
		cfg.Limiter = bucketOf(2, limiter.PerSecond(1))
		require.NoError(t, eng.Reconfigure(cfg))
		require.True(t, eng.AllowN("empty", 2), "a new limit starts full")
		require.False(t, eng.Allow("empty"))
		require.Equal(t, cfg.Limiter, eng.Config().Limiter)
	})
}

// TestChangesThereAndBack makes a thousand of them each way. In the second round there is time in between for keys
// that are full to be forgotten; they come back with as much as they would have.
func TestChangesThereAndBack(t *testing.T) {
	limits := [2]limiter.TokenBucket{bucketOf(10, limiter.Per(7, time.Minute)), bucketOf(12, limiter.Per(73, time.Minute))}
	var rates [2]float64 // per second
	for i, l := range limits {
		compiled, err := limiter.Compile(l)
		require.NoError(t, err)
		rates[i] = 1 / compiled[0].Interval().Seconds()
	}
	for _, unit := range []time.Duration{time.Nanosecond, 10 * time.Millisecond} {
		eachDispatch(t, engine.Config{Limiter: limits[0], IdleAfter: 8 * time.Millisecond}, func(t *testing.T, eng *engine.Engine) {
			has := map[string]float64{"full": 10, "half": 5, "empty": 0}
			require.True(t, eng.AllowN("full", 1) && eng.AllowN("half", 5) && eng.AllowN("empty", 10))
			has["full"]--
			cfg := eng.Config()
			for i := range 2000 {
				pause := time.Duration(1+i%7) * unit
				time.Sleep(pause)
				for key := range has { // by the limit that was in force
					has[key] = min(float64(limits[i%2].Capacity), has[key]+pause.Seconds()*rates[i%2])
				}
				cfg.Limiter = limits[(i+1)%2]
				require.NoError(t, eng.Reconfigure(cfg))
				for key := range has {
					has[key] = min(float64(limits[(i+1)%2].Capacity), has[key])
				}
			}
			require.Equal(t, unit > time.Microsecond, eng.Stats().Evicted > 0)
			for key, want := range has {
				if _, known := eng.Inspect(key); !known {
					require.True(t, eng.Allow(key))
					want--
				}
				got := tokensOf(t, eng, key)
				require.LessOrEqual(t, got, want+1e-9, key)
				require.InDelta(t, want, got, rates[0]*1e-6, "%s lost more than a microsecond of refill", key)
			}
		})
	}
}

// TestAReloadWithoutAChangeLosesNothing: 60 calls an hour at one a minute.
func TestAReloadWithoutAChangeLosesNothing(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: bucketOf(1, limiter.Per(1, time.Minute)), IdleAfter: 10 * time.Minute}, func(t *testing.T, eng *engine.Engine) {
		admitted := 0
		for i := range 120 {
			if i > 0 {
				time.Sleep(30 * time.Second)
			}
			require.NoError(t, eng.Reconfigure(eng.Config()))
			if eng.Allow("k") {
				admitted++
			}
		}
		require.Equal(t, 60, admitted)
	})
}

// TestWaitersFollowTheLimits: a waiter goes as soon as the new limit lets it go, and is told if that can never be.
func TestWaitersFollowTheLimits(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: bucketOf(10, limiter.Per(1, time.Hour))}, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.AllowN("k", 10))
		begun := time.Now()
		small := inBackground(func() error { return eng.Acquire(t.Context(), "k") })
		synctest.Wait()
		large := inBackground(func() error { return eng.AcquireN(t.Context(), "k", 8) })
		time.Sleep(6 * time.Minute) // a tenth of a token
		synctest.Wait()
		cfg := eng.Config()
		cfg.Limiter = bucketOf(5, limiter.PerSecond(1))
		require.NoError(t, eng.Reconfigure(cfg))
		require.ErrorIs(t, <-large, limiter.ErrExceedsCapacity)
		require.NoError(t, <-small)
		require.Equal(t, 6*time.Minute+900*time.Millisecond, time.Since(begun).Round(time.Millisecond))

		cfg.Limiter, cfg.MaxWait = bucketOf(5, limiter.Per(1, time.Hour)), 2*time.Second
		again := inBackground(func() error { return eng.Acquire(t.Context(), "k") })
		synctest.Wait()
		begun = time.Now()
		require.NoError(t, eng.Reconfigure(cfg))
		later := inBackground(func() error { return eng.Acquire(t.Context(), "k") })
		require.ErrorIs(t, <-later, limiter.ErrLimited, "behind the other, it would wait for longer than MaxWait")
		require.Zero(t, time.Since(begun))
		cfg.Limiter = limiter.Unlimited
		require.NoError(t, eng.Reconfigure(cfg))
		require.NoError(t, <-again)
		require.Zero(t, time.Since(begun))
	})
}

// TestAWaiterIsNotKeptForLongerThanItMay: it came when the wait was foreseen to be short.
func TestAWaiterIsNotKeptForLongerThanItMay(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: bucketOf(1, limiter.Per(1, time.Second)), MaxWait: 3 * time.Second}, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		begun := time.Now()
		waiter := inBackground(func() error { return eng.Acquire(t.Context(), "k") })
		synctest.Wait()
		cfg := eng.Config()
		cfg.Limiter = bucketOf(1, limiter.Per(1, time.Hour))
		require.NoError(t, eng.Reconfigure(cfg))
		require.ErrorIs(t, <-waiter, limiter.ErrLimited)
		require.Equal(t, 3*time.Second, time.Since(begun).Round(time.Millisecond))
	})
}

// TestBreakersFollow: failures and open breakers stay, and one that is switched off and on begins anew.
func TestBreakersFollow(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: &breaker.Policy{FailureThreshold: 3, RecoveryTimeout: time.Minute}}, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "two", 2)
		failTimes(t, eng, "open", 3)
		synctest.Wait() // the last failure is counted
		cfg := eng.Config()
		cfg.Limiter = bucketOf(5, limiter.PerSecond(5))
		cfg.Breaker.RecoveryTimeout = time.Hour
		require.NoError(t, eng.Reconfigure(cfg))
		require.ErrorIs(t, eng.Run(t.Context(), "open", succeed), breaker.ErrOpen)
		failTimes(t, eng, "two", 1)
		synctest.Wait()
		require.ErrorIs(t, eng.Run(t.Context(), "two", succeed), breaker.ErrOpen)
		time.Sleep(time.Minute)
		require.NoError(t, eng.Run(t.Context(), "open", succeed), "it opened when a minute was the rule")
		require.ErrorIs(t, eng.Run(t.Context(), "two", succeed), breaker.ErrOpen)
		failTimes(t, eng, "just opened", 3)
		synctest.Wait()
		off := cfg
		off.Breaker = nil
		require.NoError(t, eng.Reconfigure(off))
		require.NoError(t, eng.Run(t.Context(), "two", succeed))
		require.NoError(t, eng.Run(t.Context(), "just opened", succeed))
		require.NoError(t, eng.Reconfigure(cfg))
		require.NoError(t, eng.Run(t.Context(), "two", succeed))
		require.NoError(t, eng.Run(t.Context(), "never used while it was off", succeed))
	})
}

// TestReconfigureChecksAllOfIt first, and changes nothing on an error.
func TestReconfigureChecksAllOfIt(t *testing.T) {
	eng := start(t, engine.Config{Name: "api", Limiter: bucketOf(1, limiter.PerSecond(1))})
	before := eng.Config()
	err := eng.Reconfigure(engine.Config{
		Name: "other", Limiter: limiter.TokenBucket{}, MaxQueue: -1, Clock: clock.System(), Dispatch: engine.Mailbox,
	})
	for _, field := range []string{"Name", "Limiter.Capacity", "Limiter.RefillRate", "MaxQueue", "Clock", "Dispatch"} {
		require.ErrorContains(t, err, field)
	}
	var bad *engine.ConfigError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, before, eng.Config())
	require.NoError(t, eng.Close(context.Background()))
	require.ErrorIs(t, eng.Reconfigure(before), engine.ErrClosed)
}

// TestLimitsOfKeysDiffer by LimiterFor, and Refresh asks again.
func TestLimitsOfKeysDiffer(t *testing.T) {
	plans := map[string]limiter.Limiter{"pro": bucketOf(5, limiter.PerSecond(1)), "none": limiter.Unlimited}
	cfg := engine.Config{Limiter: bucketOf(1, limiter.PerSecond(1)), LimiterFor: func(key string) limiter.Limiter { return plans[key] }}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.AllowN("pro", 5))
		require.False(t, eng.Allow("pro"))
		require.True(t, eng.AllowN("none", 100))
		require.True(t, eng.Allow("free"))
		require.ErrorIs(t, eng.AcquireN(t.Context(), "free", 2), limiter.ErrExceedsCapacity)
		limits, err := eng.Key("pro").Limits()
		require.NoError(t, err)
		require.Equal(t, 5, limits[0].Capacity())

		plans["free"] = bucketOf(7, limiter.PerSecond(10))
		require.False(t, eng.Allow("free"), "nobody has asked again")
		eng.Refresh("free")
		require.InDelta(t, 0, tokensOf(t, eng, "free"), 1e-9)
		time.Sleep(time.Second)
		require.True(t, eng.AllowN("free", 7))
		delete(plans, "free")
		eng.Refresh("free")
		time.Sleep(time.Second)
		require.True(t, eng.Allow("free"))
		require.False(t, eng.Allow("free"))

		plans["bad"] = limiter.TokenBucket{Capacity: 1}
		require.ErrorContains(t, eng.Run(t.Context(), "bad", succeed), `LimiterFor("bad").RefillRate`)
		require.False(t, eng.Allow("bad"))
		_, err = eng.Key("bad").Limits()
		require.Error(t, err)
		plans["free"] = plans["bad"]
		eng.Refresh("free")
		require.InDelta(t, 0, tokensOf(t, eng, "free"), 1e-9, "it keeps its limit")
		delete(plans, "free")
	})
	eng := start(t, engine.Config{LimiterFor: func(string) limiter.Limiter { panic("no plan") }})
	require.PanicsWithValue(t, "no plan", func() { eng.Allow("k") })
	require.Zero(t, eng.Stats().Keys)
}

// TestABirthAsksAgainAfterARefresh that comes between the answer of LimiterFor and the birth.
func TestABirthAsksAgainAfterARefresh(t *testing.T) {
	asked := 0
	var eng *engine.Engine
	eng = start(t, engine.Config{LimiterFor: func(key string) limiter.Limiter {
		if asked++; asked > 1 {
			return bucketOf(2, limiter.Per(1, time.Hour))
		}
		eng.Refresh(key) // the plan changes while the first answer is on its way
		return bucketOf(9, limiter.Per(1, time.Hour))
	}})
	require.True(t, eng.Allow("k"))
	require.Equal(t, 2, asked)
	require.InDelta(t, 1, tokensOf(t, eng, "k"), 1e-6)
}

// TestMaxKeysAndIdleAfterChange too.
func TestMaxKeysAndIdleAfterChange(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: bucketOf(1, limiter.Per(1, time.Hour)), IdleAfter: 24 * time.Hour}, func(t *testing.T, eng *engine.Engine) {
		for i := range 10 {
			require.True(t, eng.Allow(fmt.Sprint("old ", i)))
		}
		synctest.Wait()
		cfg := eng.Config()
		cfg.MaxKeys, cfg.IdleAfter = 4, time.Minute
		require.NoError(t, eng.Reconfigure(cfg))
		for i := range 8 {
			require.True(t, eng.Allow(fmt.Sprint("new ", i)))
			synctest.Wait()
		}
		require.Equal(t, 4, eng.Stats().Keys)
		time.Sleep(5 * time.Hour) // a sweep by the old IdleAfter, and one by the new
		require.Zero(t, eng.Stats().Keys)
	})
}
