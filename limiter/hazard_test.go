package limiter_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

// The tests of this file are named for the hazards that other limiters fell into.

func TestL1InstantsOutOfOrderMintNoTokens(t *testing.T) {
	bucket := limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(10, time.Second)}
	k, passed := newKey(t, bucket, 0), 0
	for range 20_000 { // x/time/rate v0.16 passes all of these
		passed += k.drain(second) + k.drain(0)
	}
	require.Equal(t, 10, passed, "what had refilled by 0 is within what had by 1 s")

	k, passed = newKey(t, bucket, 0), 0
	r := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		if k.allow(r.Int64N(second+1), 1) {
			passed++
		}
	}
	require.LessOrEqual(t, passed, 20)
}

func TestL4NoRateThatIsNotANumberOrHasNoEnd(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64} {
		limits, err := limiter.Compile(limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(f)})
		require.Nil(t, limits)
		require.Equal(t, "RefillRate", faults(t, err)[0].Field)
	}
}

func TestL5ZeroAndNegativeAreErrorsAndNeverRepaired(t *testing.T) {
	for _, n := range []int64{0, -1, math.MinInt64} {
		for _, l := range []limiter.Limiter{
			limiter.TokenBucket{Capacity: int(n), RefillRate: limiter.PerSecond(1)},
			limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(n, time.Second)},
			limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Duration(n))},
			limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(float64(n))},
			limiter.LeakyBucket{Capacity: int(n), LeakRate: limiter.PerSecond(1)},
			limiter.LeakyBucket{Capacity: 1, LeakRate: limiter.Per(n, -time.Second)},
		} {
			require.NotPanics(t, func() { require.Len(t, faults(t, l.Validate()), 1, "%+v", l) })
		}
	}
	require.Len(t, faults(t, limiter.TokenBucket{}.Validate()), 2)
}

func TestL6HoldsIsRightForEveryInt64(t *testing.T) {
	for _, s := range []spec{
		{capacity: 10, n: 1, per: 3600 * second}, // throttled passes 2,562,048 of a burst of 10
		{capacity: 1, n: 1, per: 1},
		{capacity: 1 << 30, n: 1, per: 1 << 31},
		{capacity: 3, n: 1, per: 1 << 59, paced: true},
	} {
		k := newKey(t, s.limiter(), 0)
		for shift := range 64 {
			wrap := int64(math.MaxInt64) / s.interval() * int64(shift) // about where n × interval would come round again
			for _, n := range []int64{1 << shift, 1<<shift - 1, -1 << shift, wrap, wrap + 1, s.capacity, s.capacity + 1, 2_562_048} {
				require.Equal(t, n <= s.capacity, k.limits.Holds(n), "%+v: %d", s, n)
			}
		}
	}
}

func TestL7TheIntervalIsNeverTruncated(t *testing.T) {
	for _, n := range []int64{3, 7, 333, 1001, 600e6, 700e6, 999_999_999} { // 1e9/700e6 truncated is 1 ns, 43 % too fast
		for _, rate := range []limiter.Rate{limiter.Per(n, time.Second), limiter.PerSecond(float64(n))} {
			ideal := big.NewRat(second, n)
			short := ideal.Sub(new(big.Rat).SetInt64(interval(t, rate)), ideal)
			require.GreaterOrEqual(t, short.Sign(), 0, "%v: above the rate", rate)
			require.Negative(t, short.Cmp(big.NewRat(1, 1)), "%v: below by 1 ns or more", rate)
		}
	}
	require.Error(t, limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(2e9)}.Validate())
}

func TestL8ARetryAtReadyIsAdmittedAndNoneBefore(t *testing.T) {
	for p := int64(1); p <= 200; p++ {
		for q := int64(1); q <= 200; q++ {
			rate := limiter.Per(p, time.Duration(q)*time.Second)
			token := newKey(t, limiter.TokenBucket{Capacity: 3, RefillRate: rate}, 0)
			leaky := newKey(t, limiter.LeakyBucket{Capacity: 3, LeakRate: rate}, 0)
			for range 3 {
				token.allow(0, 1)
				leaky.allow(0, 1)
			}
			if err := retry(token, limiter.Immediate); err != nil {
				require.NoError(t, err, "token bucket, %v", rate)
			}
			if err := retry(leaky, limiter.Queued); err != nil {
				require.NoError(t, err, "leaky bucket, %v", rate)
			}
		}
	}
}

// retry calls k again and again, just before the instant that Ready gave and then at it.
func retry(k *key, mode limiter.Mode) error {
	now := int64(0)
	for _, n := range []int64{1, 3, 1} {
		at := k.ready(now, n, mode)
		if at <= now {
			return fmt.Errorf("%d at %d: not empty", n, now)
		}
		if k.try(at-1, n, mode) {
			return fmt.Errorf("%d at %d: admitted 1 ns before Ready", n, at-1)
		}
		if !k.try(at, n, mode) {
			return fmt.Errorf("%d at %d: refused at Ready", n, at)
		}
		now = at
	}
	return nil
}

func TestL8NothingDriftsInTheLongRun(t *testing.T) {
	const tokens = 1_000_000 // 0.7 per second: 16 days; with floats the first error comes after 182, and stays
	k := newKey(t, limiter.TokenBucket{Capacity: 7, RefillRate: limiter.Per(7, 10*time.Second)}, 0)
	require.Equal(t, 7, k.drain(0))
	at := int64(0)
	for range tokens {
		at = k.limits.Follow(k.fullAts, at, 1)
	}
	require.Equal(t, int64(tokens*1_428_571_429), at)
	require.Equal(t, int64((tokens+7)*1_428_571_429), k.fullAts[0])
}

func TestL9TheSlowestRatesDoNotOverflow(t *testing.T) {
	const millionYears = 1e6 * 365.25 * 86400
	err := limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(1 / millionYears)}.Validate()
	require.Equal(t, tooSlow, faults(t, err)[0].Reason)
	require.Error(t, limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, math.MaxInt64)}.Validate())

	for _, l := range []limiter.Limiter{
		limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 1<<61)},
		limiter.LeakyBucket{Capacity: 1, LeakRate: limiter.Per(1, 1<<61)},
	} {
		k := newKey(t, l, 0)
		require.True(t, k.allow(0, 1))
		for _, now := range []int64{0, 1, 1 << 60, 1<<61 - 1} {
			require.False(t, k.allow(now, 1))
			require.Equal(t, int64(1<<61), k.ready(now, 1, limiter.Immediate))
			require.Equal(t, time.Duration(1<<61-now), k.status(0, now).Wait)
		}
		require.True(t, k.allow(1<<61, 1))
	}
}

func TestL10DeficitIsNeverRepaidPastCapacity(t *testing.T) {
	k := newKey(t, limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(10, time.Second)}, 0)
	at := int64(0)
	for range 21 { // ten at once, eleven in turn
		at = k.limits.Follow(k.fullAts, at, 1)
	}
	require.Equal(t, 1100*ms, at)
	require.Equal(t, 10, k.drain(101*second), "failsafe-go's bursty limiter lets 999 through here")
	require.Equal(t, 10, k.drain(1000_000*second))
}

func TestL16WhatTheBucketCannotHoldIsKnownAtOnce(t *testing.T) {
	for _, l := range []limiter.Limiter{
		limiter.TokenBucket{Capacity: 5, RefillRate: limiter.PerSecond(1000)},
		limiter.LeakyBucket{Capacity: 5, LeakRate: limiter.PerSecond(1000)},
		limiter.All(
			limiter.LeakyBucket{Capacity: 9, LeakRate: limiter.PerSecond(1)},
			limiter.TokenBucket{Capacity: 5, RefillRate: limiter.PerSecond(1)},
		),
	} {
		k := newKey(t, l, 0)
		require.True(t, k.limits.Holds(5))
		require.False(t, k.limits.Holds(6), "no wait would help: %+v", l)
		require.True(t, k.allow(0, 1))
		full := k.limits.FullAt(k.fullAts)
		require.LessOrEqual(t, k.ready(0, 5, limiter.Queued), full, "what it can hold, it has when it is full")
	}
}

func TestL17NegativeTokensAreNotARefund(t *testing.T) {
	k := newKey(t, limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(1, time.Hour)}, 0)
	require.Equal(t, 5, k.drain(0))
	for _, n := range []int64{0, -1, -5, -100, -1 << 20, -1 << 51, math.MinInt64 + 1, math.MinInt64} { // the engine lets none come so far
		before := k.fullAts[0]
		k.limits.Debit(k.fullAts, 0, n)
		require.GreaterOrEqual(t, k.fullAts[0], before)
		require.Zero(t, k.drain(0), "after a debit of %d", n)
	}
}
