package engine

import (
	"math"
	"math/bits"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// weigh draws what the call costs at each key; mostly one token.
func (p *person) weigh() {
	u := p.u
	for _, c := range p.links {
		if u.oneIn(4) {
			c.n = c.w.tokens()
		}
		if u.oneIn(128) {
			c.n = int64(1 + u.below(200)) // perhaps more than there can be
		}
	}
}

// charge has the caller charge its key.
func (c *caller) charge() {
	w := c.w
	c.phase, c.account, c.told = charging, &w.keys[c.key], false
	before := w.rules
	if len(before.limits) == 0 || !w.mayOwe() {
		return
	}
	c.charges = w.spread(1, 4*before.limits[0].capacity)
	if w.oneIn(8) {
		c.charges = w.spread(1, math.MaxInt32)
	}
	c.n = c.charges
	c.handle().Charge(int(c.charges))
	w.universe.settle()
	a, left := c.account, c.charges
	c.charges = 0
	switch {
	case left == 0 || c.told || w.closed || w.rules != before || a.site == nil: // no room for the key
	case a.buckets[0].full < guard.Later(c.given, 10*before.limits[0].burst()):
		w.fail("caller %d has charged %d tokens, and the bucket is as it was", c.id, left)
	}
}

// mayOwe reports whether buckets may owe ten bursts: those who wait for as long as it takes see many sweeps.
func (w *world) mayOwe() bool {
	longest := int64(0)
	for i := range w.limits {
		longest = max(longest, w.limits[i].burst())
	}
	return longest <= 64*w.idle || !w.patient && longest < math.MaxInt64/1024
}

// charge takes n tokens at now, whether they are there or not. A bucket owes ten bursts at most, or what it owed before.
func (b *naiveBucket) charge(l *naiveLimit, now, n int64) {
	from, most := max(b.full, now), guard.Later(now, 10*l.burst())
	if from >= most {
		return
	}
	length := min(most-from, l.time(n))
	b.full, b.at = from+length, max(b.at, now)
	b.gain(l, now)
	hi, lo := bits.Mul64(uint64(length), uint64(l.per))
	tokens, _ := bits.Div64(hi, lo, uint64(l.interval))
	b.level += int64(tokens)
}

// chargeFor takes the tokens that c charges, as of now.
func (w *world) chargeFor(c *caller, now int64) {
	a := c.account
	w.watchFree(a)
	a.version++
	a.owes = true
	b := a.atGate()
	for i := range b.rules.limits {
		b.buckets[i].charge(&b.rules.limits[i], now, c.charges)
	}
	c.charges = 0
	w.note(20, c.id, b.buckets[0].full)
	w.watchAllAt(a, now)
}

// expectCharge is the turn of a Charge. Then those that wait are not sure of the wait that was foreseen.
func (w *world) expectCharge(st *site, m *guard.Message) {
	who := w.turning.who
	if m.Demand.Tokens != who.charges {
		w.fail("caller %d charges %d tokens, and the actor hears of %d", who.id, who.charges, m.Demand.Tokens)
	}
	w.chargeFor(who, w.turning.now)
	st.rows.shared = st.rows.shared || st.waits() > 0
	w.expect(who, expectation{})
}
