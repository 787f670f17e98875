package limiter

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Rate is how fast a bucket refills or leaks. Make a Rate with [Per] or [PerSecond]. The zero Rate
// is invalid.
//
// A bucket works with the time between two tokens, rounded up to whole nanoseconds: Per(3,
// time.Second) is one token every 333,333,334 ns. So a Rate above 1e9 per second is invalid.
type Rate struct {
	count  int64
	per    time.Duration
	hertz  float64 // set by PerSecond, which then leaves the others 0
	isFreq bool
}

// Per returns the rate of n tokens every d, as in Per(100, time.Minute). Both must be positive.
func Per(n int64, d time.Duration) Rate { return Rate{count: n, per: d} }

// PerSecond returns the rate of tokens per second, fractions included: PerSecond(0.5) is a token
// every two seconds. The number must be positive and finite. PerSecond is as exact as the quotient
// of two float64, one part in 2^53; [Per] is exact.
func PerSecond(tokens float64) Rate { return Rate{hertz: tokens, isFreq: true} }

// String returns the rate as given: "100/1m0s" or "0.5/s".
func (r Rate) String() string {
	if r.isFreq {
		return strconv.FormatFloat(r.hertz, 'g', -1, 64) + "/s"
	}
	return fmt.Sprintf("%d/%v", r.count, r.per)
}

// maxBurst is the longest time, in nanoseconds, that a bucket may take from empty to full (73
// years). The bound leaves room for sums of instants in an int64.
const maxBurst = 1 << 61

const tooFast = "must not be above 1e9 per second"

// interval returns the time between two tokens in nanoseconds, or the reason why r is invalid.
func (r Rate) interval() (ns int64, reason string) {
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
