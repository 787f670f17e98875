package retry_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/retry"
)

// FuzzSchedule: whatever a valid policy holds and however often the call has
// failed, a wait is never negative, never above the cap unless advised, never
// below the advice or what its jitter promises (no hot loop), never longer than
// the time that is left; and the attempts come to an end, but not before they
// have to.
func FuzzSchedule(f *testing.F) {
	const none = math.MaxInt64
	f.Add(0, int64(0), int64(0), 0.0, 0, uint64(0), int64(0), uint32(0), int64(0), int64(0), int64(none))
	f.Add(math.MaxInt32, int64(time.Second), int64(5*time.Second), 2.0, 1, uint64(1), int64(0), uint32(37), int64(0), int64(0), int64(none))
	f.Add(math.MaxInt32, int64(1), int64(none), math.MaxFloat64, 2, uint64(2), int64(time.Hour), uint32(math.MaxUint32), int64(0), int64(1), int64(none-1))
	f.Add(7, int64(none), int64(0), 1.0, 3, uint64(3), int64(none), uint32(3), int64(none), int64(1), int64(none))
	f.Add(9, int64(3), int64(20), 1.5, 3, uint64(3), int64(5), uint32(3), int64(30), int64(11), int64(15))
	f.Add(-1, int64(-1), int64(-1), math.NaN(), 4, uint64(0), int64(-1), uint32(0), int64(-1), int64(-1), int64(-1))
	f.Add(9, int64(3), int64(2), math.Inf(1), -1, uint64(0), int64(1), uint32(1), int64(math.MinInt64), int64(math.MinInt64), int64(math.MinInt64))

	f.Fuzz(func(t *testing.T, attempts int, base, limit int64, backoff float64, jitter int, seed uint64, advice int64, skip uint32, within, elapsed, left int64) {
		p := retry.Policy{
			MaxAttempts: attempts, BaseDelay: time.Duration(base), MaxDelay: time.Duration(limit), Backoff: backoff,
			Jitter: retry.Jitter(jitter), MaxElapsed: time.Duration(within), Seed: seed,
		}
		valid := attempts >= 0 && base >= 0 && limit >= 0 && (limit == 0 || limit >= base) &&
			(backoff == 0 || backoff >= 1 && backoff <= math.MaxFloat64) && jitter >= 0 && jitter <= 3 && within >= 0
		require.Equal(t, valid, p.Validate() == nil, "%+v", p)
		if valid {
			fail20Times(t, p, time.Duration(max(advice, 0)), int(skip>>1), time.Duration(elapsed), time.Duration(left))
		}
	})
}

// fail20Times follows a schedule from its attempt skip on, each attempt failing
// with the same advice and the same time having passed.
func fail20Times(t *testing.T, p retry.Policy, advice time.Duration, skip int, elapsed, left time.Duration) {
	most, low, high, _ := meaning(p)
	low = max(advice, [...]time.Duration{retry.FullJitter: 0, retry.NoJitter: low, retry.EqualJitter: low / 2, retry.DecorrelatedJitter: low}[p.Jitter])
	budget := max(left, 0) - 1 // the longest wait that there is time for
	if left == noDeadline {
		budget = noDeadline
	}
	if p.MaxElapsed > 0 {
		budget = min(budget, p.MaxElapsed-max(elapsed, 0))
	}
	s := p.Schedule(p.Seed)
	s.Skip(min(skip, most-1))
	previous := time.Duration(0)
	for failed := min(skip, most-1) + 1; failed < skip+20; failed++ {
		delay, final, ok := s.Next(retry.After(errBoom, advice), elapsed, left)
		may := failed < most && advice <= high && low <= budget
		must := may && max(high, advice) <= budget
		if ok && !may || must && !ok {
			t.Fatalf("attempt %d of %+v, advice %v, elapsed %v, left %v: retried %t", failed, p, advice, elapsed, left, ok)
		}
		if !ok {
			requireExhausted(t, final, failed, errBoom)
			return
		}
		if delay < low || delay > max(high, advice) || delay > budget || p.Jitter == retry.NoJitter && delay < previous {
			t.Fatalf("attempt %d of %+v, advice %v, elapsed %v, left %v: waits %v after %v", failed, p, advice, elapsed, left, delay, previous)
		}
		previous = delay
	}
}
