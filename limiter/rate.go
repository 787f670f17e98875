package limiter

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Rate is how fast a bucket refills or leaks. Make one with [Per] or [PerSecond]; the zero Rate is invalid.
//
// It is kept as the time between two tokens, rounded up to whole nanoseconds: Per(3, time.Second) is one token every
// 333,333,334 ns. Rates above 1e9 per second cannot be kept so and are refused.
type Rate struct {
	count  int64
	per    time.Duration
	hertz  float64 // set by PerSecond, which then leaves the others 0
	isFreq bool
}

// Per is n tokens every d: Per(100, time.Minute). Both must be positive.
func Per(n int64, d time.Duration) Rate { return Rate{count: n, per: d} }

// PerSecond is tokens tokens every second, fractions allowed: PerSecond(0.5) is one every two seconds. It must be
// positive and finite. It is as exact as a float64, one part in 2^53; Per is exact.
func PerSecond(tokens float64) Rate { return Rate{hertz: tokens, isFreq: true} }

// String is the rate as it was given: "100/1m0s" or "0.5/s".
func (r Rate) String() string {
	if r.isFreq {
		return strconv.FormatFloat(r.hertz, 'g', -1, 64) + "/s"
	}
	return fmt.Sprintf("%d/%v", r.count, r.per)
}

// maxBurst is the longest time, in nanoseconds, that a bucket may take from empty to full (73 years). It leaves room for
// sums of instants in an int64.
const maxBurst = 1 << 61

// interval is the time between two tokens in nanoseconds, or the reason why there is none.
func (r Rate) interval() (ns int64, reason string) {
	const tooFast = "must not be above 1e9 per second"
	if r.isFreq {
		switch f := r.hertz; {
		case math.IsNaN(f) || math.IsInf(f, 0):
			return 0, "must be finite"
		case f <= 0:
			return 0, "must be positive"
		case f > 1e9:
			return 0, tooFast
		case 1e9/f > maxBurst:
			return 0, "is too slow: a token must come at least every 2^61 ns (73 years)"
		default:
			return int64(math.Ceil(1e9 / f)), ""
		}
	}
	switch {
	case r.count <= 0 || r.per <= 0:
		return 0, "must be positive: Per(n, d) with n and d above 0, or PerSecond(f) with f above 0"
	case int64(r.per) < r.count:
		return 0, tooFast
	default:
		return (int64(r.per)-1)/r.count + 1, ""
	}
}
