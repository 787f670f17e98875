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

func TestAFixedWindowThatCannotBeUsedIsNamed(t *testing.T) {
	for _, test := range []struct {
		window limiter.FixedWindow
		faults []limiter.ConfigError
	}{
		{limiter.FixedWindow{}, []limiter.ConfigError{
			{Field: "Per", Value: time.Duration(0), Reason: "must be positive"}, {Field: "Max", Value: 0, Reason: "must be at least 1"},
		}},
		{limiter.FixedWindow{Max: -1, Per: time.Second}, []limiter.ConfigError{{Field: "Max", Value: -1, Reason: "must be at least 1"}}},
		{limiter.FixedWindow{Max: 1, Per: -1}, []limiter.ConfigError{{Field: "Per", Value: time.Duration(-1), Reason: "must be positive"}}},
		{limiter.FixedWindow{Max: 1, Per: 1<<61 + 1}, []limiter.ConfigError{
			{Field: "Per", Value: time.Duration(1<<61 + 1), Reason: "must not be above 2^61 ns (73 years)"},
		}},
		{limiter.FixedWindow{Max: 1001, Per: time.Microsecond}, []limiter.ConfigError{{Field: "Max", Value: 1001, Reason: tooFast}}},
		{limiter.FixedWindow{Max: 1000, Per: time.Microsecond, Offset: math.MinInt64}, nil},
		{limiter.FixedWindow{Max: 1, Per: 1, Offset: math.MaxInt64}, nil},
	} {
		err := test.window.Validate()
		if len(test.faults) == 0 {
			require.NoError(t, err, "%+v", test.window)
			continue
		}
		for i, fault := range faults(t, err) {
			require.Equal(t, test.faults[i], *fault, "%+v", test.window)
		}
	}
	_, err := limiter.Compile((*limiter.FixedWindow)(nil))
	require.Error(t, err)
	require.ErrorContains(t, limiter.All(limiter.FixedWindow{Max: 1}).Validate(), "[0].Per")
}

// TestWindowsAreCountedFromTheEpoch looks for the instants at which calls are there again.
func TestWindowsAreCountedFromTheEpoch(t *testing.T) {
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.RFC3339Nano, text)
		require.NoError(t, err)
		return parsed
	}
	for _, test := range []struct {
		per, offset time.Duration
		made, next  string
	}{
		{time.Minute, 0, "2026-11-29T13:07:00.5Z", "2026-11-29T13:08:00Z"},
		{time.Minute, 0, "2026-11-29T13:07:00Z", "2026-11-29T13:08:00Z"},
		{time.Minute, 0, "2026-11-29T13:07:59.999999999Z", "2026-11-29T13:08:00Z"},
		{24 * time.Hour, 0, "2026-11-29T13:07:00Z", "2026-11-30T00:00:00Z"},
		{24 * time.Hour, 5 * time.Hour, "2026-11-29T04:59:59Z", "2026-11-29T05:00:00Z"},
		{24 * time.Hour, -5 * time.Hour, "2026-11-29T13:07:00Z", "2026-11-29T19:00:00Z"},
		{7 * 24 * time.Hour, 4 * 24 * time.Hour, "2026-11-29T13:07:00Z", "2026-11-30T00:00:00Z"}, // a Monday; the epoch was a Thursday
		{7 * time.Second, 0, "1969-12-31T23:59:58Z", "1970-01-01T00:00:00Z"},
		{time.Hour, time.Minute, "0001-01-01T00:00:30Z", "0001-01-01T00:01:00Z"},
		{time.Hour, 0, "2400-02-29T23:59:00Z", "2400-03-01T00:00:00Z"},
	} {
		name := fmt.Sprintf("%v + %v, %s", test.per, test.offset, test.made)
		made := at(test.made)
		limits, err := limiter.Compile(limiter.FixedWindow{Max: 2, Per: test.per, Offset: test.offset})
		require.NoError(t, err)
		limits = limits.Anchor(made)
		fullAts := []int64{0}
		limits.Debit(fullAts, 0, 2)
		require.Equal(t, test.next, made.Add(time.Duration(limits.Ready(fullAts, 0, 1, limiter.Immediate))).Format(time.RFC3339Nano), name)
		status := limits.Status(0, fullAts, fullAts, 0, 0)
		require.Equal(t, at(test.next).Sub(made), status.Ends, name)
		require.Equal(t, status.Ends, status.Wait, name)
		require.Zero(t, status.Available, name)
	}
}

// windows is a naive fixed window: the tokens taken in each window since the epoch.
type windows struct {
	limiter.FixedWindow
	zero time.Time
	used map[string]int64 // by the number of the window
}

// number returns the number of the window of the instant at.
func (w *windows) number(at int64) *big.Int {
	n := new(big.Int).Mul(big.NewInt(w.zero.Unix()), big.NewInt(1e9))
	n.Add(n, big.NewInt(int64(w.zero.Nanosecond()))).Add(n, big.NewInt(at)).Sub(n, big.NewInt(int64(w.Offset)))
	return n.Div(n, big.NewInt(int64(w.Per))) // rounds down
}

// end returns the instant at which window number n ends.
func (w *windows) end(n *big.Int) int64 {
	end := new(big.Int).Add(n, big.NewInt(1))
	end.Mul(end, big.NewInt(int64(w.Per))).Add(end, big.NewInt(int64(w.Offset)))
	zero := new(big.Int).Mul(big.NewInt(w.zero.Unix()), big.NewInt(1e9))
	return end.Sub(end, zero.Add(zero, big.NewInt(int64(w.zero.Nanosecond())))).Int64()
}

// ready returns the first instant from now on at which n tokens are there.
func (w *windows) ready(now, n int64) int64 {
	number := w.number(now)
	if w.used[number.String()]+n <= int64(w.Max) {
		return now
	}
	for {
		now = w.end(number)
		if number.Add(number, big.NewInt(1)); w.used[number.String()]+n <= int64(w.Max) {
			return now
		}
	}
}

func (w *windows) take(at, n int64) { w.used[w.number(at).String()] += n }

// randomWindows returns a window and its model.
func randomWindows(r *rand.Rand, t *testing.T) (limiter.Limits, *windows) {
	w := &windows{used: map[string]int64{}}
	w.Per = time.Duration(1 + r.Int64N(1<<r.IntN(46)))
	w.Max = int(1 + r.Int64N(min(int64(w.Per), 1<<r.IntN(20))))
	w.Offset = time.Duration(r.Int64() >> r.IntN(64))
	w.zero = time.Unix(r.Int64N(1<<38)-1<<37, r.Int64N(1e9)) // year -2386 to 6325
	limits, err := limiter.Compile(w.FixedWindow)
	require.NoError(t, err, "%+v", w.FixedWindow)
	return limits.Anchor(w.zero), w
}

// TestAFixedWindowEqualsTheNaiveModel plays random calls, that pass or wait, and Charges.
func TestAFixedWindowEqualsTheNaiveModel(t *testing.T) {
	full, short := 0, 0
	seeds(t, 20_000, func(r *rand.Rand) error {
		limits, model := randomWindows(r, t)
		now := 1 + r.Int64N(1<<50)
		fullAts := []int64{now}
		for range 30 {
			switch r.IntN(4) {
			case 0:
				now += r.Int64N(int64(model.Per)/4 + 1)
			case 1:
				now += r.Int64N(3 * int64(model.Per))
			case 2: // the last instant of the window, the first of the next one, or the second
				now = max(now, model.end(model.number(now))-1+r.Int64N(3))
			}
			n := 1 + r.Int64N(int64(model.Max))
			if r.IntN(3) == 0 {
				n = 1 + r.Int64N(min(3, int64(model.Max)))
			}
			want := model.ready(now, n)
			at := limits.Ready(fullAts, now, n, limiter.Mode(r.IntN(2) == 0))
			if at != want {
				return fmt.Errorf("%+v: %d tokens ready at %d for a call at %d, want %d", model.FixedWindow, n, at, now, want)
			}
			limit := limits[0]
			if passes := fullAts[0] <= limit.Latest(limit.Seen(now), n, limiter.Immediate); passes != (at == now) {
				return fmt.Errorf("%+v: Latest says %t at %d, and Ready %d", model.FixedWindow, passes, now, at)
			}
			used := model.used[model.number(now).String()]
			if s := limits.Status(0, fullAts, fullAts, now, 0); s.Available != float64(max(0, int64(model.Max)-used)) ||
				int64(s.Ends) != model.end(model.number(now))-now {
				return fmt.Errorf("%+v: %+v at %d, with %d used", model.FixedWindow, s, now, used)
			}
			if fullAts[0] <= now && used > 0 {
				return fmt.Errorf("%+v: full at %d, but %d are used at %d", model.FixedWindow, fullAts[0], used, now)
			}
			switch {
			case r.IntN(8) == 0:
				limits.Charge(fullAts, now, n)
				most := min(int64(model.Per), 10*int64(model.Max))
				model.take(now, max(0, min(n, most-used)))
			case at == now || r.IntN(3) == 0: // a caller that waits
				now = at
				limits.Debit(fullAts, now, n)
				model.take(now, n)
				full++
			default:
				short++
			}
		}
		return nil
	})
	if *seed == 0 && *cases == 0 {
		require.Greater(t, full, 100_000)
		require.Greater(t, short, 50_000)
	}
}

// TestWhoWaitsForAWindowIsToldWhenItEnds compares Behind with callers that go one by one.
func TestWhoWaitsForAWindowIsToldWhenItEnds(t *testing.T) {
	seeds(t, 5000, func(r *rand.Rand) error {
		limits, model := randomWindows(r, t)
		now := 1 + r.Int64N(1<<50)
		fullAts, single := []int64{now}, r.IntN(2) == 0
		limits.Debit(fullAts, now, int64(model.Max))
		if r.IntN(4) == 0 {
			limits.Charge(fullAts, now, 1+r.Int64N(5))
		}
		tail, at, waiting := []int64{fullAts[0]}, now, int64(0)
		for range r.IntN(60) {
			n := int64(1)
			if !single {
				n = 1 + r.Int64N(int64(model.Max))
			}
			at, waiting = limits.Follow(tail, at, n), waiting+n
		}
		behind := make([]int64, 1)
		limits.Behind(behind, fullAts, waiting)
		if behind[0] > tail[0] || single && behind[0] != tail[0] {
			return fmt.Errorf("%+v: %d tokens behind %d: %d, they go until %d", model.FixedWindow, waiting, fullAts[0], behind[0], tail[0])
		}
		return nil
	})
}

// TestTheLastInstants has windows at the end of what an int64 can hold.
func TestTheLastInstantsOfWindows(t *testing.T) {
	const last = 1<<62 - 2
	for _, per := range []int64{1 << 61, 1<<61 - 1, 1 << 40, 1} {
		limits, err := limiter.Compile(limiter.FixedWindow{Max: 1, Per: time.Duration(per)})
		require.NoError(t, err)
		fullAts := []int64{last}
		at := int64(last)
		for range 5 {
			ready := limits.Ready(fullAts, at, 1, limiter.Queued)
			require.GreaterOrEqual(t, ready, at)
			limits.Debit(fullAts, ready, 1)
			require.Greater(t, fullAts[0], at)
			at = min(ready, 1<<62+1<<61)
		}
		limits.Charge(fullAts, last, math.MaxInt64)
		require.Positive(t, fullAts[0])
		behind := make([]int64, 1)
		limits.Behind(behind, fullAts, math.MaxInt64)
		require.EqualValues(t, int64(limiter.Never), behind[0])
	}
	limits, err := limiter.Compile(limiter.FixedWindow{Max: 1, Per: 1})
	require.NoError(t, err)
	require.EqualValues(t, int64(limiter.Never), limits[0].Ready(limiter.Never, 1, limiter.Queued))
	limits.Behind([]int64{0}, []int64{limiter.Never}, 1)
}

// TestWhatTheEngineAsksOfLimits is about the small questions.
func TestWhatTheEngineAsksOfLimits(t *testing.T) {
	limits, err := limiter.Compile(limiter.All(
		limiter.FixedWindow{Max: 3, Per: 10 * time.Second, Offset: time.Second}, limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Second)},
		limiter.LeakyBucket{Capacity: 2, LeakRate: limiter.Per(1, time.Second)},
	))
	require.NoError(t, err)
	window, bucket, leaky := limits[0], limits[1], limits[2]
	require.True(t, limits.Windowed())
	require.False(t, limits[1:].Windowed())
	require.Equal(t, 3333333334*time.Nanosecond, window.Interval(), "Per / Max, rounded up")
	require.Equal(t, 10*time.Second, window.Burst())
	require.Equal(t, time.Second, bucket.Interval())

	// A window from 1 s to 11 s, and one from 11 s on.
	require.EqualValues(t, 11*second, limits.Begun(12*second))
	require.EqualValues(t, second, limits.Begun(11*second-1))
	require.Zero(t, limits[1:].Begun(12*second))
	require.EqualValues(t, 11*second-1+3, window.EmptyAt(5*second))
	require.EqualValues(t, 7*second, bucket.EmptyAt(5*second))

	for _, l := range limits {
		full := l.Seen(5 * second)
		require.Equal(t, full, l.Undo(l.After(full, full, 2), 2))
	}
	require.EqualValues(t, second, bucket.Slack(limiter.Queued))
	require.EqualValues(t, second, leaky.Slack(limiter.Immediate))
	require.Zero(t, leaky.Slack(limiter.Queued))
}
