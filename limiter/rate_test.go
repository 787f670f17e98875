package limiter_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

// interval is the time between two tokens of rate, seen from outside: what one token adds to the full-at.
func interval(t testing.TB, rate limiter.Rate) int64 {
	t.Helper()
	k := newKey(t, limiter.TokenBucket{Capacity: 1, RefillRate: rate}, 0)
	require.True(t, k.allow(0, 1))
	return k.fullAts[0]
}

func TestTheIntervalIsRoundedUpToWholeNanoseconds(t *testing.T) {
	for _, test := range []struct {
		rate limiter.Rate
		want int64
	}{
		{limiter.Per(1, time.Second), 1_000_000_000},
		{limiter.Per(100, time.Minute), 600_000_000},
		{limiter.Per(3, time.Second), 333_333_334},
		{limiter.Per(7, time.Second), 142_857_143},
		{limiter.Per(999_999_999, time.Second), 2},
		{limiter.Per(1e9, time.Second), 1},
		{limiter.Per(1, 1), 1},
		{limiter.Per(2, 3), 2},
		{limiter.Per(math.MaxInt64, math.MaxInt64), 1},
		{limiter.Per(1, 1<<61), 1 << 61},
		{limiter.PerSecond(1), 1_000_000_000},
		{limiter.PerSecond(0.5), 2_000_000_000},
		{limiter.PerSecond(0.1), 10_000_000_000},
		{limiter.PerSecond(3), 333_333_334},
		{limiter.PerSecond(0.7), 1_428_571_429},
		{limiter.PerSecond(1e9), 1},
		{limiter.PerSecond(1e9 - 1), 2},
		{limiter.PerSecond(1e9 / 3.0), 3}, // as exact as a float64 is
		{limiter.PerSecond(1e9 / float64(1<<61)), 1 << 61},
	} {
		require.Equal(t, test.want, interval(t, test.rate), "%v", test.rate)
	}
}

func TestRateStringIsTheRateAsGiven(t *testing.T) {
	for want, rate := range map[string]limiter.Rate{
		"100/1m0s": limiter.Per(100, time.Minute),
		"1/1ns":    limiter.Per(1, 1),
		"-3/-2s":   limiter.Per(-3, -2*time.Second),
		"0/0s":     {},
		"0.5/s":    limiter.PerSecond(0.5),
		"2.375/s":  limiter.PerSecond(2.375),
		"1e+09/s":  limiter.PerSecond(1e9),
		"0/s":      limiter.PerSecond(0),
		"NaN/s":    limiter.PerSecond(math.NaN()),
		"-Inf/s":   limiter.PerSecond(math.Inf(-1)),
	} {
		require.Equal(t, want, rate.String())
	}
}
