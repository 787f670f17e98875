package limiter

import "math/bits"

// Rest is what the last [Limits.Convert] rounded off a bucket: the bucket is full by Part / 2^64 of a
// nanosecond before its full-at. That is sure until the instant Until, the full-at that Convert
// returned. From then on the bucket may have been full, and nothing is left of the rest.
type Rest struct {
	Part  uint64
	Until int64
}

// Convert changes the limits of a key from l to other limits, as of the instant at, and returns the
// full-ats by the other limits. Limits are matched by position. A limit without a match starts full,
// and a limit that stays the same is left as it is.
//
// The tokens that a bucket has stay in the bucket, up to the new capacity, and a debt stays a debt of
// as many tokens. So no change, back and forth, makes a token. Convert rounds against the caller. The
// rests keep what it rounds off for the next Convert, so that many changes do not wear the tokens away.
// They are nil if there are none.
func (l Limits) Convert(to Limits, fullAts []int64, rests []Rest, at int64) ([]int64, []Rest) {
	size := max(1, len(to)) // there is one full-at also without a limit
	converted, left := make([]int64, size), make([]Rest, size)
	exact := true
	for i := range converted {
		var rest Rest
		if i < len(rests) && at < rests[i].Until {
			rest = rests[i]
		}
		switch {
		case i >= len(to):
			converted[i] = at
		case i >= len(l):
			converted[i] = to[i].Seen(at)
		case l[i] == to[i]:
			converted[i], left[i] = fullAts[i], rest
		default:
			converted[i], left[i].Part = l[i].convert(&to[i], fullAts[i], rest.Part, at)
			left[i].Until = converted[i]
		}
		exact = exact && left[i].Part == 0
	}
	if exact {
		left = nil
	}
	return converted, left
}

// convert is Convert for a bucket, and returns Rest.Part.
func (l *Limit) convert(to *Limit, fullAt int64, part uint64, at int64) (int64, uint64) {
	used, seen := max(0, fullAt-at), to.Seen(at) // used of the burst
	if l.per > 0 {
		used, at = l.usedInWindow(fullAt, at)
		seen = to.Seen(at)
	}
	if used == 0 {
		part = 0
	}
	if used > l.burst() {
		return to.lacking(seen, sum(to.burst(), debtFor(used-l.burst(), l.interval, to.interval))), 0
	}
	// The bucket has free + part / 2^64 nanoseconds' worth of tokens.
	free := uint64(l.burst() - used)                                                          //nolint:gosec // not negative
	if hi, lo := bits.Mul64(uint64(to.capacity), uint64(l.interval)); hi == 0 && lo <= free { //nolint:gosec // above 0
		return seen, 0 // enough for the other capacity; in a window as after a Reset
	}
	whole, part := scale(free, part, uint64(to.interval), uint64(l.interval)) //nolint:gosec // above 0
	return sum(seen, to.burst()-int64(whole)), part                           //nolint:gosec // below the burst
}

// scale returns (whole + part / 2^64) × num / den, rounded down. The whole part must be below 2^64, and
// num and den below 2^63.
func scale(whole, part, num, den uint64) (uint64, uint64) {
	hi, lo := bits.Mul64(whole, num)
	quotient, remainder := bits.Div64(hi, lo, den)
	hi, lo = bits.Mul64(part, num)
	hi += remainder // both below 2^63
	part, _ = bits.Div64(hi%den, lo, den)
	return quotient + hi/den, part
}

// debtFor returns the time in which a bucket gains as many tokens as in debt, if the time between two
// tokens is "to" and not "from": rounded up, or [Never] if an int64 cannot hold it.
func debtFor(debt, from, to int64) int64 {
	hi, lo := bits.Mul64(uint64(debt), uint64(to)) //nolint:gosec // not negative
	den := uint64(from)                            //nolint:gosec // above 0
	if hi >= den {
		return Never
	}
	time, rest := bits.Div64(hi, lo, den)
	if rest > 0 {
		time++
	}
	return int64(min(time, Never)) //nolint:gosec // just bounded
}
