package limiter

// Effect is what callers that wait, one behind the other, do to the full-ats of several limits
// together. [Effect.Apply] takes a time that does not depend on the number of callers. All calls on
// one Effect must be made with the same Limits. [Limits.NoEffect] makes an Effect.
//
// To grant a call is to take maxima of sums of the present instant and the full-ats, see
// [Limits.Follow]. In the max-plus algebra that is a linear map (Baccelli, Cohen, Olsder and
// Quadrat, "Synchronization and Linearity", 1992). An Effect is the matrix of that map; the effect
// of callers behind others is the product of two matrices. Column 0 is the instant of the last
// grant, and the full-ats behind it, for callers that find the instant at 0 and the full-ats at minus
// infinity. Column i+1 is the same for callers that find full-at i at 0 and all else at minus
// infinity.
type Effect []int64

// far stands for minus infinity. Every other entry of an Effect is above -2^61, because a grant
// comes at most a burst before the full-at that it depends on. So a sum of two entries never falls
// below an int64.
const far = -1 << 62

// NoEffect returns the effect of no caller.
func (l Limits) NoEffect() Effect {
	e := make(Effect, (len(l)+1)*(len(l)+1))
	e.Clear(l)
	return e
}

// Clear makes e the effect of no caller.
func (e Effect) Clear(l Limits) {
	for i := range e {
		e[i] = far
		if i%(len(l)+2) == 0 {
			e[i] = 0
		}
	}
}

// Follow adds a caller for n tokens behind the callers of e. n must be at least 1 and within the
// capacity, see [Limits.Holds].
func (e Effect) Follow(l Limits, n int64) {
	for size := len(l) + 1; len(e) > 0; e = e[size:] {
		e[0] = l.Follow(e[1:size], e[0], n)
	}
}

// Join makes e the effect of the callers of first and, behind them, the callers of second. Neither
// may share memory with e.
func (e Effect) Join(l Limits, first, second Effect) {
	for size := len(l) + 1; len(e) > 0; e, first = e[size:], first[size:] {
		second.Apply(e[:size], first[:size])
	}
}

// Apply writes into to the instant of the last grant, and the full-ats behind it, when the callers of
// e wait from the instant from[0] on and find the full-ats from[1:]. Neither to nor from may share
// memory with the other.
//
// The answer is that of [Limits.Follow], called for one caller after the other. If Follow makes a
// full-at [Never], then [Limits.Ready] is Never for both answers.
func (e Effect) Apply(to, from []int64) {
	for i := range to {
		to[i] = far
	}
	for _, x := range from {
		column := e[:len(to)]
		e = e[len(to):]
		if x == far {
			continue
		}
		for i, y := range column {
			if y != far {
				to[i] = max(to[i], shift(x, y))
			}
		}
	}
}

// shift adds two numbers above -2^62 and returns Never when an int64 cannot hold the sum.
func shift(a, b int64) int64 { return min(a, Never-max(0, b)) + b }
