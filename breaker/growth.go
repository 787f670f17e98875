package breaker

import (
	"math/bits"
	"math/rand/v2"
)

// Growth returns how many times the next open time doubles: the trips that the circuit has not
// stepped back from, as far as each of them makes a difference. Without MaxRecovery it is 0.
func (c *Circuit) Growth() int { return int(c.growth) }

// Grow gives an open circuit the growth of a dropped circuit, which [Circuit.Growth] returned:
// after [Circuit.Reopen]. The dropped circuit may have followed other rules.
func (c *Circuit) Grow(r *Rules, growth int) {
	c.growth = uint8(min(max(0, growth), int(r.doublings))) //nolint:gosec // doublings is small
}

// heal closes a half-open circuit as of the last outcome of a probe. The growth of the open time
// steps back once for each RecoveryTimeout from then on.
func (c *Circuit) heal(r *Rules) {
	growth, until := c.growth, c.until
	c.Renew(r)
	if growth > 0 && !planted("a recovery after which the open time starts over") {
		c.growth, c.until = growth, until
	}
}

// recede takes the steps back of a closed circuit that are due at now.
func (c *Circuit) recede(r *Rules, now int64) {
	if c.growth == 0 || now < c.until {
		return
	}
	steps := 1 + (now-c.until)/r.recovery
	if steps >= int64(c.growth) {
		c.growth, c.until = 0, 0
		return
	}
	c.growth -= uint8(steps) //nolint:gosec // less than growth
	c.until = after(c.until, steps*r.recovery)
}

// openTime returns how long a circuit stays open that opens at the instant at, if its open time has
// doubled growth times. The random part depends on the seed and on the instant alone, so that a
// circuit that is dropped and made anew opens for as long as if it had been kept.
func (r *Rules) openTime(growth uint8, at int64) int64 {
	d := r.longest
	if growth < r.doublings || planted("an open time above MaxRecovery") {
		d = r.recovery << growth
	}
	if r.jitter == 0 {
		return d
	}
	hi, lo := bits.Mul64(uint64(d), r.jitter)                    //nolint:gosec // not negative
	most := min(hi<<(64-jitterBits)|lo>>jitterBits, uint64(d)-1) //nolint:gosec // at least 1 ns is left
	var source rand.PCG
	source.Seed(r.seed, uint64(at)) //nolint:gosec // any bits will do
	off, _ := bits.Mul64(source.Uint64(), most+1)
	return d - int64(off) //nolint:gosec // less than d
}

// jitterBits is the precision of Rules.jitter.
const jitterBits = 32

// doublings returns how many times d doubles until it is at least longest.
func doublings(d, longest int64) (n uint8) {
	for ; d < longest; d *= 2 { // longest is at most 2^61
		n++
	}
	return n
}
