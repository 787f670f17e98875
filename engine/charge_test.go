package engine_test

import (
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestRowAChargeIsTakenAfterwards: of one limit, of several, by a plain key, and by a chain, whose first key it is.
func TestRowAChargeIsTakenAfterwards(t *testing.T) {
	for name, limit := range map[string]limiter.Limiter{
		"one limit": tenPerHour,
		"two":       limiter.All(tenPerHour, limiter.TokenBucket{Capacity: 1000, RefillRate: limiter.PerSecond(1)}),
	} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, engine.Config{Limiter: limit, MaxWait: engine.NoWait}, func(t *testing.T, eng *engine.Engine) {
				other := start(t, engine.Config{Limiter: tenPerHour})
				for _, k := range []engine.Key{eng.Key("k"), engine.Chain(eng.Key("k"), other.Key("x")), eng.Key("k").Cost(2)} {
					eng.Reset("k")
					require.NoError(t, eng.Acquire(t.Context(), "k"))
					k.Charge(6)
					require.Equal(t, 3, left(t, eng, "k"))
					k.Charge(0)
					k.Charge(-5)
					require.Equal(t, 3, left(t, eng, "k"))
					k.Charge(8)
					require.Equal(t, 0, left(t, eng, "k"))
					r := rejected(t, eng.Run(t.Context(), "k", succeed), limiter.ErrLimited)
					require.Equal(t, 6*time.Hour, r.RetryAfter(), "five below nothing, and one to be there")
					time.Sleep(r.RetryAfter() - 1)
					require.ErrorIs(t, eng.Run(t.Context(), "k", succeed), limiter.ErrLimited)
					time.Sleep(time.Nanosecond)
					require.NoError(t, eng.Run(t.Context(), "k", succeed))
				}
				require.Zero(t, other.Stats().Keys)
			})
		})
	}
}

func TestTheDebtOfAChargeIsBounded(t *testing.T) {
	for _, limit := range []limiter.Limiter{
		tenPerHour, limiter.LeakyBucket{Capacity: 10, LeakRate: limiter.Per(1, time.Hour)},
		limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, 20*365*24*time.Hour)},
	} {
		eachDispatch(t, engine.Config{Limiter: limit, MaxWait: engine.NoWait}, func(t *testing.T, eng *engine.Engine) {
			var after time.Duration
			for range 3 {
				eng.Key("k").Charge(math.MaxInt)
				require.False(t, eng.Allow("k"))
				after = rejected(t, eng.Run(t.Context(), "k", succeed), limiter.ErrLimited).RetryAfter()
			}
			if limit == tenPerHour {
				require.Equal(t, 91*time.Hour, after, "it lacks 100 tokens")
				eng.Key("k").Charge(1)
				require.Equal(t, 91*time.Hour, rejected(t, eng.Run(t.Context(), "k", succeed), limiter.ErrLimited).RetryAfter())
			}
			require.Positive(t, after)
		})
	}
}

func TestAChargeOfAKeyThatIsNotThere(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: tenPerHour}, func(t *testing.T, eng *engine.Engine) {
		eng.Key("k").Charge(4) // makes the key known
		require.Equal(t, 6, left(t, eng, "k"))
		time.Sleep(time.Hour)
		require.Equal(t, 1, eng.Stats().Keys, "a key in debt is not forgotten")
		time.Sleep(5 * time.Hour)
		require.Zero(t, eng.Stats().Keys)
		require.NoError(t, eng.Close(t.Context()))
		eng.Key("k").Charge(1)
		plain := start(t, engine.Config{})
		plain.Key("k").Charge(1)
		require.Zero(t, plain.Stats().Keys)
		engine.Chain(plain.Key("k"), plain.Key("x")).Charge(1)
	})
}

// TestAChargeHasThoseWhoWaitWaitLonger, and refuses them when they have waited for as long as they may.
func TestAChargeHasThoseWhoWaitWaitLonger(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: tenPerHour, MaxWait: 3 * time.Hour}, func(t *testing.T, eng *engine.Engine) {
		require.NoError(t, eng.AcquireN(t.Context(), "k", 10))
		began := time.Now()
		waits := func() <-chan error { return inBackground(func() error { return eng.Acquire(t.Context(), "k") }) }
		first := waits()
		synctest.Wait()
		second := waits()
		synctest.Wait()
		require.Equal(t, 2, inspect(t, eng, "k").Waiting)
		eng.Key("k").Charge(1)
		require.NoError(t, <-first)
		require.Equal(t, 2*time.Hour, time.Since(began))
		eng.Key("k").Charge(1)
		require.ErrorIs(t, <-second, limiter.ErrLimited, "four hours are too long")
		require.Equal(t, 3*time.Hour, time.Since(began).Round(time.Second))
		require.Zero(t, inspect(t, eng, "k").Waiting)
	})
}

// TestEveryChargeCounts: goroutines charge one key and take from it, and no token is lost or counted twice.
func TestEveryChargeCounts(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: limiter.TokenBucket{Capacity: 100_000, RefillRate: limiter.Per(1, time.Minute)}},
		func(t *testing.T, eng *engine.Engine) {
			const goroutines, each = 8, 1000
			var all sync.WaitGroup
			for range goroutines {
				all.Go(func() {
					k := eng.Key("k")
					for range each {
						k.Charge(3)
						_ = k.Run(t.Context(), succeed)
					}
				})
			}
			all.Wait()
			require.Equal(t, 100_000-4*goroutines*each, left(t, eng, "k"))
		})
}
