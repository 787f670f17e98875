package limiter_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

func TestAllTakesFromEveryLimitOrFromNone(t *testing.T) {
	k := newKey(t, limiter.All(
		limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(1, time.Second)},
		limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Minute)},
	), 0)
	require.True(t, k.allow(0, 2))
	require.Equal(t, 3.0, k.status(0, 0).Available)
	require.Equal(t, 0.0, k.status(1, 0).Available)

	before := slices.Clone(k.fullAts)
	require.False(t, k.allow(0, 1), "the second has none left")
	require.Equal(t, before, k.fullAts, "a refusal takes nothing from either")
	require.Equal(t, 60*second, k.ready(0, 1, limiter.Immediate), "the later of both decides")
	require.Equal(t, 3.0, k.status(0, 0).Available)

	require.False(t, k.limits.Holds(3), "the smallest capacity decides")
	require.True(t, k.limits.Holds(2))
	require.True(t, k.allow(60*second, 1))
	require.Equal(t, 4.0, k.status(0, 60*second).Available)
	require.Equal(t, 180*second, k.limits.FullAt(k.fullAts), "full when the last of them is, a minute for each of three")
}

func TestFullAtIsWhenTheLastOfSeveralIsFull(t *testing.T) {
	slow := limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Minute)}
	quick := limiter.LeakyBucket{Capacity: 2, LeakRate: limiter.Per(1, time.Second)}
	for _, l := range []limiter.Limiter{limiter.All(slow, quick), limiter.All(quick, slow)} {
		k := newKey(t, l, 0)
		require.True(t, k.allow(0, 1))
		require.Equal(t, 60*second, k.limits.FullAt(k.fullAts))
	}
}

func TestAnAllAmongOthersCountsAsItsMembers(t *testing.T) {
	a := limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(1, time.Second)}
	b := limiter.LeakyBucket{Capacity: 4, LeakRate: limiter.Per(2, time.Second)}
	c := limiter.TokenBucket{Capacity: 3, RefillRate: limiter.PerSecond(3)}
	flat, err := limiter.Compile(limiter.All(a, b, c))
	require.NoError(t, err)
	require.Len(t, flat, 3)
	for _, nested := range []limiter.Limiter{
		limiter.All(limiter.All(a, b), c),
		limiter.All(a, limiter.All(b, limiter.All(c))),
		limiter.All(limiter.All(limiter.All(a, b, c))),
	} {
		limits, err := limiter.Compile(nested)
		require.NoError(t, err)
		require.Equal(t, flat, limits)
		require.NoError(t, nested.Validate())
	}
}

func TestAllKeepsItsOwnListOfMembers(t *testing.T) {
	members := []limiter.Limiter{limiter.TokenBucket{Capacity: 5, RefillRate: limiter.PerSecond(1)}}
	l := limiter.All(members...)
	members[0] = nil
	require.NoError(t, l.Validate())
}

func TestTheZeroLimitsAllowEverything(t *testing.T) {
	var none limiter.Limits
	require.True(t, none.Holds(math.MaxInt64))
	require.EqualValues(t, 42, none.Ready(nil, 42, 1000, limiter.Queued))
	require.True(t, none.HasRoom(nil, 42, math.MaxInt64, 1))
	require.Equal(t, int64(math.MinInt64), none.FullAt(nil), "full since ever")
	require.NotPanics(t, func() {
		none.Reset(nil, 42)
		none.Debit(nil, 42, 1000)
		none.Behind(nil, nil, 1)
	})
}

func TestALimitTellsWhatItIs(t *testing.T) {
	limits, err := limiter.Compile(limiter.All(
		limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(3, time.Second)},
		limiter.LeakyBucket{Capacity: 4, LeakRate: limiter.PerSecond(100)},
	))
	require.NoError(t, err)
	require.Equal(t, 10, limits[0].Capacity())
	require.Equal(t, 333_333_334*time.Nanosecond, limits[0].Interval(), "rounded up")
	require.Equal(t, 4, limits[1].Capacity())
	require.Equal(t, 10*time.Millisecond, limits[1].Interval())
}

func TestStatusOfATokenBucket(t *testing.T) {
	k := newKey(t, limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Second)}, 0)
	require.Equal(t, limiter.Status{Available: 10}, k.status(0, 0))
	require.True(t, k.allow(0, 9))
	require.Equal(t, limiter.Status{Available: 1}, k.status(0, 0))
	require.True(t, k.allow(0, 1))
	require.Equal(t, limiter.Status{Available: 0, Wait: time.Second}, k.status(0, 0))
	require.Equal(t, limiter.Status{Available: 0.25, Wait: 750 * time.Millisecond}, k.status(0, 250*ms))
	require.Equal(t, limiter.Status{Available: 10}, k.status(0, 1000*second))

	tail := make([]int64, 1)
	k.limits.Behind(tail, k.fullAts, 3)
	require.Equal(t, limiter.Status{Available: 0.25, Queued: 3, Wait: 3750 * time.Millisecond},
		k.limits.Status(0, k.fullAts, tail, 250*ms, 3), "three wait, the fourth would wait for four tokens")
}

func TestStatusOfALeakyBucket(t *testing.T) {
	k := newKey(t, limiter.LeakyBucket{Capacity: 5, LeakRate: limiter.Per(1, time.Second)}, 0)
	require.Equal(t, limiter.Status{Available: 5}, k.status(0, 0))
	require.True(t, k.try(0, 1, limiter.Queued))
	require.Equal(t, limiter.Status{Available: 4, Queued: 1, Wait: time.Second}, k.status(0, 0))
	require.Equal(t, limiter.Status{Available: 4.5, Queued: 1, Wait: 500 * time.Millisecond}, k.status(0, 500*ms),
		"a place is taken until it has leaked out whole")
	require.Equal(t, limiter.Status{Available: 5}, k.status(0, second))

	tail := make([]int64, 1)
	k.limits.Behind(tail, k.fullAts, 2)
	require.Equal(t, limiter.Status{Available: 2.5, Queued: 3, Wait: 2500 * time.Millisecond},
		k.limits.Status(0, k.fullAts, tail, 500*ms, 2))
	k.limits.Behind(tail, k.fullAts, 4)
	require.Equal(t, 0.5, k.limits.Status(0, k.fullAts, tail, 500*ms, 4).Available)
	require.False(t, k.limits.HasRoom(k.fullAts, 500*ms, 4, 1))
	require.True(t, k.allow(500*ms, 1))
	require.Equal(t, 0.0, k.limits.Status(0, k.fullAts, tail, 500*ms, 4).Available, "never below 0")
}

func TestStatusShowsEachMemberOfAllForItself(t *testing.T) {
	k := newKey(t, limiter.All(
		limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Second)},
		limiter.LeakyBucket{Capacity: 3, LeakRate: limiter.Per(2, time.Second)},
	), 0)
	require.True(t, k.allow(0, 2))
	require.Equal(t, limiter.Status{Available: 0, Wait: time.Second}, k.status(0, 0))
	require.Equal(t, limiter.Status{Available: 1, Queued: 2, Wait: time.Second}, k.status(1, 0))
}

func TestFollowGrantsOneAfterTheOther(t *testing.T) {
	k := newKey(t, limiter.LeakyBucket{Capacity: 3, LeakRate: limiter.Per(1, time.Second)}, 0)
	require.True(t, k.try(0, 1, limiter.Queued))
	require.Equal(t, second, k.limits.Follow(k.fullAts, 10*ms, 2))
	require.Equal(t, 3*second, k.limits.Follow(k.fullAts, second, 1))
	require.Equal(t, 9*second, k.limits.Follow(k.fullAts, 9*second, 1), "idle since 4 s: at once")
}

func TestBehindIsNotExactForSeveralLimits(t *testing.T) {
	k := newKey(t, limiter.All(
		limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Second)},
		limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Minute)},
	), 0)
	require.True(t, k.allow(0, 1))
	behind := make([]int64, 2)
	k.limits.Behind(behind, k.fullAts, 1)
	require.Equal(t, []int64{2 * second, 120 * second}, behind)
	require.Equal(t, 60*second, k.limits.Follow(k.fullAts, 0, 1))
	require.Equal(t, []int64{61 * second, 120 * second}, k.fullAts, "the first stood idle while the second was waited for")
}

func TestBehindNobodyAreTheWords(t *testing.T) {
	k := newKey(t, limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 3)}, 0)
	tail := make([]int64, 1)
	for _, fullAt := range []int64{0, 7, limiter.Never} {
		k.fullAts[0] = fullAt
		k.limits.Behind(tail, k.fullAts, 0)
		require.Equal(t, fullAt, tail[0])
	}
	k.fullAts[0] = 0
	k.limits.Behind(tail, k.fullAts, math.MaxInt64/3)
	require.Equal(t, int64(math.MaxInt64-1), tail[0], "the last multiple of 3 that fits")
}

func TestSumsThatDoNotFitAreNever(t *testing.T) {
	const century = 100 * 365 * 24 * time.Hour
	huge := limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.Per(1, 1<<31)} // burst 2^61
	paced := limiter.LeakyBucket{Capacity: 1, LeakRate: limiter.Per(1, 1<<61)}
	for _, l := range []limiter.Limiter{huge, paced} {
		k := newKey(t, l, 0)
		tail := make([]int64, 1)
		for _, waiting := range []int64{1 << 33, 1 << 62, math.MaxInt64} {
			k.limits.Behind(tail, k.fullAts, waiting)
			require.Equal(t, int64(limiter.Never), tail[0], "%d waiting", waiting)
			require.Greater(t, k.limits.Status(0, k.fullAts, tail, 0, waiting).Wait, 2*century)
		}
		at := int64(0)
		for range 10 {
			next := k.limits.Follow(k.fullAts, at, 1)
			require.GreaterOrEqual(t, next, at)
			at = next
		}
		k.limits.Debit(k.fullAts, limiter.Never-1, 1)
		require.Equal(t, int64(limiter.Never), k.fullAts[0])
		k.limits.Debit(k.fullAts, limiter.Never, 1)
		require.Equal(t, int64(limiter.Never), k.fullAts[0])
		require.Equal(t, int64(limiter.Never), k.limits.Follow(k.fullAts, limiter.Never, 1))
	}
	k := newKey(t, paced, 0)
	k.fullAts[0] = limiter.Never
	require.Equal(t, int64(limiter.Never), k.ready(0, 1, limiter.Queued))
	require.Equal(t, int64(limiter.Never), k.ready(0, 1, limiter.Immediate))
	behind := make([]int64, 1)
	k.limits.Behind(behind, k.fullAts, 0)
	require.Equal(t, int64(limiter.Never), behind[0])
}
