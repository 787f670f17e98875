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
// below what its jitter promises (no hot loop), and the attempts come to an end.
func FuzzSchedule(f *testing.F) {
	f.Add(0, int64(0), int64(0), 0.0, 0, uint64(0), int64(0), uint32(0))
	f.Add(math.MaxInt32, int64(time.Second), int64(5*time.Second), 2.0, 1, uint64(1), int64(0), uint32(37))
	f.Add(math.MaxInt32, int64(1), int64(math.MaxInt64), math.MaxFloat64, 2, uint64(2), int64(time.Hour), uint32(math.MaxInt32))
	f.Add(7, int64(math.MaxInt64), int64(0), 1.0, 3, uint64(3), int64(math.MaxInt64), uint32(3))
	f.Add(-1, int64(-1), int64(-1), math.NaN(), 4, uint64(0), int64(-1), uint32(0))
	f.Add(9, int64(3), int64(2), math.Inf(1), -1, uint64(0), int64(1), uint32(1))

	f.Fuzz(func(t *testing.T, attempts int, base, limit int64, backoff float64, jitter int, seed uint64, advice int64, skip uint32) {
		p := retry.Policy{
			MaxAttempts: attempts, BaseDelay: time.Duration(base), MaxDelay: time.Duration(limit),
			Backoff: backoff, Jitter: retry.Jitter(jitter), Seed: seed,
		}
		valid := attempts >= 0 && base >= 0 && limit >= 0 && (limit == 0 || limit >= base) &&
			(backoff == 0 || backoff >= 1 && backoff <= math.MaxFloat64) && jitter >= 0 && jitter <= 3
		require.Equal(t, valid, p.Validate() == nil, "%+v", p)
		if !valid {
			return
		}
		most, low, high, _ := meaning(p)
		switch p.Jitter {
		case retry.FullJitter:
			low = 0
		case retry.EqualJitter:
			low /= 2
		}
		floor := time.Duration(max(advice, 0))
		s := p.Schedule(seed)
		skipped := min(int(skip>>1), most-1)
		s.Skip(skipped)
		for failed := skipped + 1; failed < skipped+100; failed++ {
			delay, final, ok := s.Next(retry.After(errBoom, time.Duration(advice)), 0, noDeadline)
			require.Equal(t, failed < most && floor <= high, ok, "attempt %d of %+v", failed, p)
			if !ok {
				requireExhausted(t, final, failed, errBoom)
				return
			}
			require.GreaterOrEqual(t, delay, max(low, floor), "attempt %d of %+v", failed, p)
			require.LessOrEqual(t, delay, max(high, floor), "attempt %d of %+v", failed, p)
		}
	})
}
