package engine

import "math"

// debit is what the tokens of an attempt did to the buckets of an account.
type debit struct {
	account       *account
	site          *site
	number        int
	epoch         int
	period        uint64 // of the naive circuit
	rules         *rules
	before, after [mostLimits]naiveBucket
}

// debitFor is takeTokens for c, who may give the tokens back.
func (w *world) debitFor(c *caller, a *account, now, n int64, turn bool) {
	if c.debit.account != nil {
		w.fail("caller %d takes tokens twice for an attempt", c.id)
	}
	b := a.atGate()
	if len(b.rules.limits) == 0 {
		w.takeTokens(a, now, n, turn)
		return
	}
	c.checkFree()
	w.debits++
	c.debit = debit{account: a, site: a.site, number: w.debits, epoch: a.epoch, period: a.circuit.period, rules: b.rules, before: b.buckets}
	w.takeTokens(a, now, n, turn)
	c.debit.after = b.buckets
	if len(c.links) > 1 {
		c.permits()
	}
}

// permits begins to watch the breakers anew: every breaker is asked for its permit after the last tokens
// have been taken.
func (p *person) permits() {
	for _, c := range p.links {
		if !c.hasDecided() && !c.placed {
			c.wasClosed, c.permitted = false, false
			c.w.watch(c, p.u.latest)
		}
	}
}

// tookAt is the instant as of which c has taken tokens at a gate. A call may take them as of an earlier look:
// at a full bucket full-at tells the reading, and else any instant from which the tokens were there will do.
func (c *caller) tookAt(last, fullAt int64) int64 {
	if !c.looks() || fullAt == math.MaxInt64 {
		return c.given
	}
	b := c.account.atGate()
	l := &b.rules.limits[0]
	if at := fullAt - c.n*l.interval; at > last {
		if at < c.since || at > c.given {
			c.w.fail("caller %d takes tokens as of %d, and has read the clock from %d to %d", c.id, at, c.since, c.given)
		}
		return at
	}
	return min(c.given, max(c.since, l.ready(b.buckets[0].full, c.n, bool(c.mode))))
}

// returned has c give its tokens back, as if they had never been taken. That is right only if nobody
// has taken any since, and the gate goes by the same limits.
func (w *world) returned(c *caller) {
	d := &c.debit
	a := d.account
	if a == nil || a.epoch != d.epoch || a.atGate().rules != d.rules || a.atGate().buckets != d.after {
		w.fail("caller %d gives back tokens that others have taken on top of, that are by old limits, or that it does not have", c.id)
	}
	if !c.deciding {
		w.fail("caller %d gives tokens back in the midst of its function", c.id)
	}
	if a.atGate().buckets = d.before; a.stale {
		a.catchUp()
	}
	a.version++
	c.debit, c.passed, c.answered = debit{}, false, false
	w.note(13, c.id, 0)
}

// mayStaySpent reports whether the tokens of c need not come back.
func (c *caller) mayStaySpent() bool {
	d := &c.debit
	a := d.account
	if a == nil || a.site != d.site || a.epoch != d.epoch || a.circuit.period != d.period || c.w.closed {
		return true
	}
	b := a.atGate()
	if b.rules != d.rules || b.buckets != d.after {
		return true
	}
	for i := range b.rules.limits {
		if b.buckets[i].full == math.MaxInt64 { // what it was is lost
			return true
		}
	}
	return false
}

// settleKept looks at the tokens that the engine counts as kept spent: they are those that c holds.
func (c *caller) settleKept() {
	w := c.w
	kept := w.eng.counters.KeptSpent.Load()
	if kept == w.kept {
		return
	}
	switch {
	case c.debit.account == nil || int64(kept-w.kept) != c.n:
		w.fail("caller %d keeps %d tokens spent, and has taken others", c.id, kept-w.kept)
	case !c.spent && !c.mayStaySpent():
		w.fail("caller %d keeps its tokens spent, and nobody has taken any since", c.id)
	}
	w.kept = kept
	c.debit, c.passed, c.answered, c.spent = debit{}, false, false, false
	w.note(14, c.id, int64(kept))
}
