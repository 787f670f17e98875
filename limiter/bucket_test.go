package limiter_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

// call is a row of a schedule: at an instant somebody asks for n tokens.
type call struct {
	at    int64
	n     int64
	mode  limiter.Mode
	ok    bool
	ready int64 // asked before the call
}

func play(t *testing.T, k *key, calls []call) {
	t.Helper()
	for i, c := range calls {
		require.Equal(t, time.Duration(c.ready), time.Duration(k.ready(c.at, c.n, c.mode)), "row %d: Ready", i)
		require.Equal(t, c.ok, k.try(c.at, c.n, c.mode), "row %d: admitted", i)
	}
}

func TestTokenBucket(t *testing.T) {
	const place = limiter.Immediate
	three := limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, time.Second)}
	for name, test := range map[string]struct {
		bucket limiter.TokenBucket
		calls  []call
	}{
		"starts full and is empty after its capacity": {three, []call{
			{0, 1, place, true, 0},
			{0, 1, place, true, 0},
			{0, 1, place, true, 0},
			{0, 1, place, false, second},
		}},
		"gains one token every interval": {three, []call{
			{0, 3, place, true, 0},
			{second - 1, 1, place, false, second},
			{second, 1, place, true, second},
			{second, 1, place, false, 2 * second},
			{2*second + 500*ms, 1, place, true, 2*second + 500*ms},
			{2*second + 500*ms, 1, place, false, 3 * second},
			{3 * second, 1, place, true, 3 * second},
		}},
		"keeps fractions over a refusal": {three, []call{
			{0, 3, place, true, 0},
			{900 * ms, 1, place, false, second},
			{990 * ms, 1, place, false, second},
			{second, 1, place, true, second},
		}},
		"is never fuller than its capacity": {three, []call{
			{0, 1, place, true, 0},
			{3600 * second, 3, place, true, 3600 * second},
			{3600 * second, 1, place, false, 3601 * second},
		}},
		"n tokens at once or none": {three, []call{
			{0, 2, place, true, 0},
			{0, 2, place, false, second},
			{0, 1, place, true, 0},
			{0, 3, place, false, 3 * second},
			{3 * second, 3, place, true, 3 * second},
		}},
		"a refusal costs nothing": {three, []call{
			{0, 3, place, true, 0},
			{ms, 3, place, false, 3 * second},
			{2 * ms, 2, place, false, 2 * second},
			{second, 1, place, true, second},
		}},
		"a bucket of one": {limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(10, time.Second)}, []call{
			{0, 1, place, true, 0},
			{0, 1, place, false, 100 * ms},
			{100*ms - 1, 1, place, false, 100 * ms},
			{100 * ms, 1, place, true, 100 * ms},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, newKey(t, test.bucket, 0), test.calls)
			for i := range test.calls {
				test.calls[i].mode = limiter.Queued
			}
			play(t, newKey(t, test.bucket, 0), test.calls) // a token bucket does not tell the modes apart
		})
	}
}

func TestABurstPassesInOneInstantAndThenTheRate(t *testing.T) {
	k := newKey(t, limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(100, time.Second)}, 0)
	require.Equal(t, 10, k.drain(0))
	passed := 0
	for now := int64(0); now <= second; now += ms {
		passed += k.drain(now)
	}
	require.Equal(t, 100, passed)
}

func TestABucketThatStartsLateIsFullThen(t *testing.T) {
	for _, birth := range []int64{-5 * second, 0, 1, 1 << 60} {
		k := newKey(t, limiter.TokenBucket{Capacity: 4, RefillRate: limiter.Per(1, time.Minute)}, birth)
		require.Equal(t, 4, k.drain(birth), "born at %d", birth)
		require.Equal(t, birth+60*second, k.ready(birth, 1, limiter.Immediate))
	}
}

func TestResetForgetsWhatWasTaken(t *testing.T) {
	k := newKey(t, limiter.TokenBucket{Capacity: 4, RefillRate: limiter.Per(1, time.Minute)}, 0)
	require.Equal(t, 4, k.drain(0))
	k.limits.Reset(k.fullAts, 10)
	require.Equal(t, 4, k.drain(10))
}

func TestFullAtIsTheFirstInstantAtWhichTheBucketIsFull(t *testing.T) {
	k := newKey(t, limiter.TokenBucket{Capacity: 4, RefillRate: limiter.Per(1, time.Second)}, 7)
	require.EqualValues(t, 7, k.limits.FullAt(k.fullAts))
	require.True(t, k.allow(10, 3))
	full := k.limits.FullAt(k.fullAts)
	require.Equal(t, 3*second+10, full)
	require.Less(t, k.status(0, full-1).Available, 4.0)
	require.Equal(t, 4.0, k.status(0, full).Available)
	require.Greater(t, k.ready(full-1, 4, limiter.Immediate), full-1)
	require.Equal(t, full, k.ready(full, 4, limiter.Immediate))
}

func TestLeakyBucket(t *testing.T) {
	const place, turn = limiter.Immediate, limiter.Queued
	for name, calls := range map[string][]call{
		"Queued paces one every interval": {
			{0, 1, turn, true, 0},
			{0, 1, turn, false, second},
			{second - 1, 1, turn, false, second},
			{second, 1, turn, true, second},
			{second + 1, 1, turn, false, 2 * second},
			{2 * second, 1, turn, true, 2 * second},
		},
		"Queued saves nothing up": {
			{100 * second, 1, turn, true, 100 * second},
			{100 * second, 1, turn, false, 101 * second},
		},
		"Queued of n waits for all before and then holds up the next for n": {
			{0, 2, turn, true, 0},
			{2*second - 1, 3, turn, false, 2 * second},
			{2 * second, 3, turn, true, 2 * second},
			{2 * second, 1, turn, false, 5 * second},
		},
		"Immediate takes up to the capacity at once": {
			{0, 1, place, true, 0},
			{0, 1, place, true, 0},
			{0, 1, place, true, 0},
			{0, 1, place, false, second},
			{second, 1, place, true, second},
			{second, 1, place, false, 2 * second},
		},
		"Queued waits until what Immediate took has leaked out": {
			{0, 3, place, true, 0},
			{second, 1, turn, false, 3 * second},
			{3 * second, 1, turn, true, 3 * second},
		},
		"Immediate needs a whole place": {
			{0, 1, turn, true, 0},
			{500 * ms, 3, place, false, second},
			{500 * ms, 2, place, true, 500 * ms},
			{500 * ms, 1, place, false, second},
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, newKey(t, limiter.LeakyBucket{Capacity: 3, LeakRate: limiter.Per(1, time.Second)}, 0), calls)
		})
	}
}

func TestHasRoomCountsTheWaitingAndTheLeaking(t *testing.T) {
	leaky := limiter.LeakyBucket{Capacity: 3, LeakRate: limiter.Per(1, time.Second)}
	for _, test := range []struct {
		name       string
		taken      int64 // at 0
		now        int64
		waiting, n int64
		room       bool
	}{
		{"empty", 0, 0, 0, 3, true},
		{"more than there are", 0, 0, 0, 4, false},
		{"two leaking", 2, 0, 0, 1, true},
		{"two leaking, one waiting", 2, 0, 1, 1, false},
		{"three leaking", 3, 0, 0, 1, false},
		{"three leaking, not yet a whole place", 3, second - 1, 0, 1, false},
		{"three leaking, one has leaked", 3, second, 0, 1, true},
		{"a place that a waiter has", 3, second, 1, 1, false},
		{"long ago", 3, 1000 * second, 1, 2, true},
		{"the waiting alone", 0, 0, 3, 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, l := range []limiter.Limiter{
				leaky,
				limiter.All(limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, time.Hour)}, leaky),
			} {
				k := newKey(t, l, 0)
				if test.taken > 0 {
					require.True(t, k.allow(0, test.taken))
				}
				require.Equal(t, test.room, k.limits.HasRoom(k.fullAts, test.now, test.waiting, test.n))
			}
		})
	}
	k := newKey(t, limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}, 0)
	require.True(t, k.limits.HasRoom(k.fullAts, 0, 1<<40, 1), "a token bucket has room for any number")
}
