package engine

import (
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// watch takes note of the state of the buckets and the breaker for an attempt of c.
func (w *world) watch(c *caller, now int64) {
	a := c.account
	c.wasShort = c.wasShort || a.ready(now, c.n, bool(c.mode)) > now || a.stale && a.old.ready(now, c.n, bool(c.mode)) > now
	c.wasUnlimited, c.wasAbove = c.wasUnlimited || len(w.limits) == 0, c.wasAbove || !w.rules.holds(c.n)
	c.wasFull = c.wasFull || a.full(c)
	switch a.circuit.state {
	case breaker.Closed:
		c.wasClosed = true
	case breaker.Open:
		c.wasOpen = max(c.wasOpen, a.circuit.until)
	}
	c.wasClosed = c.wasClosed || w.renews(a)
	if c.looks() {
		c.wasShort = c.wasShort || a.waits() > 0
		c.wasFree = c.wasFree || !w.isSure(c)
	}
}

// watchAll is watch for all attempts that concern a.
func (w *world) watchAll(a *account) { w.watchAllAt(a, w.turning.now) }

func (w *world) watchAllAt(a *account, now int64) {
	for _, c := range w.people[:w.callers] {
		if c.deciding && c.account == a {
			w.watch(c, now)
		}
	}
}

// watchFree takes note of the calls through chains that a would let pass, before tokens are taken or a turn
// changes a.
func (w *world) watchFree(a *account) {
	if len(w.worlds) == 1 {
		return
	}
	for _, c := range w.people[:w.callers] {
		if c.deciding && c.account == a && !c.wasFree {
			c.wasFree = !w.isSure(c)
		}
	}
}

// isSure reports whether c's key is sure to refuse the attempt now. While the call waits at a narrower key,
// the tokens may come. A look loads full-at before it reads the clock, and others may take tokens in between:
// then it goes by the bucket of before, at a later instant.
func (w *world) isSure(c *caller) bool {
	if c.hasDecided() || c.under.lease != 0 || c.wasDark(false) {
		return false
	}
	b := &c.account.circuit
	if c.asks && !c.placed && b.state == breaker.Open && w.latest < b.until && !c.account.stale {
		return true
	}
	waits := c.mode == limiter.Queued && c.stay >= 0 && (w.maxWait >= 0 || c != c.links[0])
	c.ready = min(c.ready, c.account.ready(0, c.n, bool(c.mode)))
	return !waits && c.ready > w.latest
}

// checkFree makes sure that a call takes nothing, and waits for nothing, if a key was sure to refuse it ever
// since the attempt began.
func (p *person) checkFree() {
	if len(p.links) == 1 {
		return
	}
	for _, c := range p.links {
		if !c.wasFree && c.w.isSure(c) {
			p.u.fail("caller %d takes tokens, and %q of engine %d was sure to refuse all the time", p.id, keyNames[c.key], c.w.number)
		}
	}
}

// anyShort reports whether a key of the call lacked tokens at some time. A chain adds up the waits for its
// keys, so that the key that refuses need not be the one.
func (p *person) anyShort() bool {
	for _, c := range p.links {
		if c.wasShort {
			return true
		}
	}
	return false
}
