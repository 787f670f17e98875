package limiter_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

// TestAChargeOnlyTakes: whatever was there before, and however much is charged, full-at grows by the tokens or up to ten bursts from now,
// and never falls.
func TestAChargeOnlyTakes(t *testing.T) {
	bounded := 0
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 0))
		limits, err := limiter.Compile(limiter.TokenBucket{Capacity: 1 + r.IntN(20), RefillRate: limiter.Per(1+r.Int64N(5), time.Duration(1+r.IntN(1e9)))})
		require.NoError(t, err)
		l := &limits[0]
		now := r.Int64N(1 << 40)
		fullAt := max(0, now+r.Int64N(30*int64(l.Burst()))-15*int64(l.Burst()))
		n := []int64{0, 1, r.Int64N(100), r.Int64N(1000), math.MaxInt64}[r.IntN(5)]
		got, most := l.Charge(fullAt, now, n), now+10*int64(l.Burst())
		want := max(fullAt, now)
		switch room := most - want; {
		case room <= 0:
		case n > room/int64(l.Interval()):
			want = most
			bounded++
		default:
			want += n * int64(l.Interval())
		}
		require.Equal(t, want, got, "seed %d", seed)
		require.GreaterOrEqual(t, got, fullAt)
		many := []int64{fullAt}
		limits.Charge(many, now, n)
		require.Equal(t, got, many[0])
	}
	require.Greater(t, bounded, 300)
}

func TestAChargeAtTheEndOfTimeSaturates(t *testing.T) {
	limits, err := limiter.Compile(limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, 20*365*24*time.Hour)})
	require.NoError(t, err)
	l := &limits[0]
	require.Equal(t, int64(limiter.Never), l.Charge(5, 1<<62, math.MaxInt64))
	require.Equal(t, int64(limiter.Never), l.Charge(limiter.Never, 5, 1))
}
