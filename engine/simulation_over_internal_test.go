package engine

import (
	"errors"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// over is the end of a call.
func (p *person) over(err error) {
	hoped, closed := p.hope, false
	p.hope = nil
	for _, c := range p.links {
		closed = closed || c.w.closed
		c.over(err)
	}
	r := rejectionIn(err)
	if r == nil || r == errRefused || closed {
		return
	}
	p.u.note(7, p.id, r.at)
	c := p.refusing(r)
	c.checkShadow(r)
	if c.reason != r.reason() {
		c.w.checkRefused(c, r)
	}
	if p.u.recovered && errors.Is(r.Err, breaker.ErrOpen) {
		p.u.fail("the breaker of %q is still open after a lease and a recovery in which nothing was called", keyNames[c.key])
	}
	p.foresee()
	if hoped != nil && errors.Is(r.Err, hoped) && r.until() > 0 && p.decided >= p.hopeAt && p.asForeseen() && p.attempts == 0 {
		p.u.fail("caller %d was refused (%v) when it came back at the instant it was told", p.id, r.Err)
	}
	now := p.u.reading()
	// An instant that has passed by now is no promise any more: leases may have ended since, and have opened the breaker.
	if wait := r.until() - now; r.until() > 0 && wait < p.u.nights && p.u.oneIn(3) && !p.u.draining && (wait > 0 || !errors.Is(r.Err, breaker.ErrOpen)) {
		p.hope, p.hopeAt = r.Err, r.until()
		for _, c := range p.links {
			c.hopeVersion = c.seen
		}
	}
}

// over is the end of a call at one engine: a call that gives up leaves no probe and no tokens.
func (c *caller) over(err error) {
	w := c.w
	if c.placed {
		w.fail("caller %d has ended its call (%T), and its place is not back", c.id, err)
	}
	switch {
	case !c.deciding || w.closed || c.hasDecided():
	case c.asks && c.holdsProbe() && !w.switchedSince(c.rules):
		w.fail("caller %d was let through as a probe, has not made it, and has not said so", c.id)
	case c.debit.account != nil && (c.asks || err != nil):
		w.fail("caller %d has given up (%T), and its tokens are neither back nor counted", c.id, err)
	case err == nil && !c.asks && !c.passed && !c.inShadow && len(w.limits) > 0:
		w.checkAdmitted(c)
	}
	c.debit = debit{}
}

// refusing is the link that a refusal names.
func (p *person) refusing(r *Rejection) *caller {
	for _, c := range p.links {
		if c.w.cfg.Name == r.Engine {
			if r.Key != keyNames[c.key] {
				p.u.fail("a refusal names the key %q, and the call was for %q", r.Key, keyNames[c.key])
			}
			return c
		}
	}
	if len(p.links) > 1 {
		p.u.fail("a refusal names the engine %q, which the call does not concern", r.Engine)
	}
	return p.links[0]
}

// foresee works out whether it is known when a refused call through a chain would pass: if nothing has
// changed since the attempt began, nobody waits, and no lease ends. Where failures of probes are tolerated, a
// place is free at the end of a lease, and the end of another lease opens the breaker again.
func (p *person) foresee() {
	for _, c := range p.links {
		if c.account != nil && c.account.circuit.rules.tolerated > 0 && c.account.circuit.out > 1 {
			c.seen = 0
		}
	}
	if !p.looks() {
		return
	}
	for _, c := range p.links {
		if a := c.account; a.site != c.was || a.version != c.seen || a.waits() > 0 || a.circuit.out > 0 {
			c.seen = 0
		}
	}
}

// asForeseen reports whether nothing has changed since the refusal before.
func (p *person) asForeseen() bool {
	for _, c := range p.links {
		if c.hopeVersion == 0 || c.seen != c.hopeVersion {
			return false
		}
	}
	return true
}

// rejectionIn returns the refusal that a call ended with, or nil.
func rejectionIn(err error) *Rejection {
	var stopped *StoppedError
	if errors.As(err, &stopped) {
		err = stopped.Reason
	}
	if err == limiter.ErrLimited {
		return &Rejection{Err: err}
	}
	r, _ := err.(*Rejection)
	return r
}
