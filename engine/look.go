package engine

import (
	"context"
	"errors"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/mailbox"
)

// Check returns the refusal that a call made now through k would get at once, and nil if no key is sure to
// refuse. Check takes nothing, no token, permit or place in a queue: so a call that follows may be refused
// all the same. Check is for servers that want to refuse a request before they spend work on it. A refusal
// counts in Stats, as that of a call. The error is a *Rejection, that of ctx if ctx has ended, or a
// *ConfigError if k cannot be used.
func (k Key) Check(ctx context.Context) error {
	if ch := k.chain; ch != nil {
		if ch.err != nil {
			return ch.err
		}
		var got [longestChain]share
		return check(ctx, &call{links: ch.links, got: got[:len(ch.links)]}, k.stay)
	}
	return check(ctx, &call{links: []link{{eng: k.eng, place: k.place, tokens: 1}}, got: make([]share, 1)}, k.stay)
}

// check is Check for the call c, which has nothing.
func check(ctx context.Context, c *call, stay int64) error {
	switch {
	case ctx.Err() != nil:
		return c.links[0].eng.endOf(ctx)
	case stay < guard.NoStay:
		return errStay(stay)
	}
	for i := range c.got {
		c.got[i].tokens = c.links[i].tokens
	}
	defer c.giveUp() // the leaves of probes
	w := callFor(stay)
	at, err := c.look(ctx, &w)
	c.countShadows()
	if err != nil {
		if r, ok := err.(*Rejection); ok && r.Stage == InFlightStage && c.mayWait(at, stay, 0) { //nolint:errorlint // made by look just now
			return nil // it waits for a place
		}
		return told(ctx, c.links[at].eng.refused(err))
	}
	return nil
}

// look looks at every key. The error is the refusal of the first key that is sure to refuse, at is the link.
func (c *call) look(ctx context.Context, w *guard.Demand) (at int, err error) {
	var foreseen int64 // how long the call waits before it comes to the key, at least
	rough := false     // whether it may be longer
	for i := range c.links {
		if !c.decides(i) {
			continue
		}
		l, s := &c.links[i], &c.got[i]
		reason, err := c.lookAt(ctx, i, w, notAfter)
		if reason == nil && err == nil && s.wait == 0 && !c.tokens && c.lacksPlace(i, w) {
			reason = limiter.ErrInFlight
		}
		open := stageOf(reason) == BreakerStage
		if !open && foreseen > 0 {
			reason = nil // there may be room by then
		}
		if l.eng.settings.Load().shadow {
			if reason != nil {
				err = l.eng.refuse(l.key, reason, 0)
			}
			if err = c.inShadow(i, err); err == nil {
				continue
			}
		}
		if err != nil {
			c.giveUp() // the leaves of probes
			return i, err
		}
		if wait := s.wait - foreseen; !open && !rough && wait > 0 {
			d := c.demand(i, w)
			if d.Hopeless(s.cell.Published.Policy(), 0, wait) {
				reason = limiter.ErrLimited
			}
		}
		rough = rough || s.rough
		foreseen = max(foreseen, s.wait)
		if reason == nil && !c.inTime(ctx, w, foreseen) {
			reason = limiter.ErrLimited
		}
		if reason != nil && !guard.Planted("a wide key taken although a narrow one is known to refuse") {
			return i, c.refuse(i, w, reason)
		}
	}
	return 0, nil
}

// inTime reports whether a wait ends within the stay of w and before the deadline of ctx.
func (c *call) inTime(ctx context.Context, w *guard.Demand, wait int64) bool {
	if wait == 0 {
		return true
	}
	if w.Stay < 0 || w.Stay > 0 && wait > w.Stay {
		return false
	}
	deadline, ok := ctx.Deadline()
	return !ok || time.Duration(wait) < c.links[0].eng.until(deadline)
}

// notAfter as the argument after of lookAt asks for the wait of a call that comes now.
const notAfter = -1

// lookAt looks at link i and takes nothing. It returns the reason why the key is sure to refuse, or nil;
// share.wait is the time from now until the tokens are there for a call that comes now, or until the key
// would let the call pass if it came no sooner than after. The error is that of an engine that has ended
// or has no room for the key.
func (c *call) lookAt(ctx context.Context, i int, w *guard.Demand, after int64) (reason, err error) {
	l, s := &c.links[i], &c.got[i]
	e := l.eng
	s.ruling, s.wait, s.rough = guard.Admitted, max(0, after), false
	if e.ended.Load() {
		return nil, e.refuse(l.key, ErrClosed, 0)
	}
	d := c.demand(i, w)
	if !e.asks(e.settings.Load(), l.key, &d) {
		return nil, nil
	}
	if after != notAfter { // a refused call makes no key known
		cell, known := e.system.Find(l.key)
		if !known {
			c.lookForgotten(i, &d, after)
			return nil, nil
		}
		s.cell = cell
	} else if s.cell, err = e.find(&l.place); err != nil {
		return nil, e.asRefusal(l.key, err)
	}
	g := &s.cell.Published
	policy := g.Policy()
	if err := e.exceeds(l.key, policy, &d); err != nil {
		return nil, err
	}
	if n := g.Posted(); d.Breaker && n.Refuses() && !n.Policy().Stale() {
		if now := e.system.Now(); now < n.Until() {
			s.wait = max(s.wait, waitUntil(n.At(), now))
			return n.Reason(), nil
		}
	}
	var at int64
	switch s.ruling, s.now, at = g.Look(e.system, policy, &d); {
	case s.ruling == guard.Limited:
		s.wait = max(s.wait, at-s.now)
		if d.Mode == limiter.Immediate {
			return limiter.ErrLimited, nil
		}
		if after == notAfter && !d.Hopeless(policy, s.now, at) { // only the actor knows whether there is room to wait
			return c.lookInside(ctx, i, &d, after)
		}
	case s.ruling == guard.Undecided:
		return c.lookInside(ctx, i, &d, after)
	}
	return nil, nil
}

// waitUntil returns the time from now until the instant at, or guard.Never if at is.
func waitUntil(at, now int64) int64 {
	if at == guard.Never {
		return guard.Never
	}
	return at - now
}

// lookForgotten is lookAt for a key that is not known, about an instant not before after.
func (c *call) lookForgotten(i int, d *guard.Demand, after int64) {
	l, s := &c.links[i], &c.got[i]
	now := l.eng.system.Now()
	policy, err := l.eng.settings.Load().policyFor(l.key)
	if err != nil {
		return // the call will have the error
	}
	s.wait = max(s.wait, l.eng.behavior.EarliestUnknown(now, l.key, policy, d, guard.Later(now, after))-now)
}

// lookInside is lookAt for a gate that the key's actor owns.
func (c *call) lookInside(ctx context.Context, i int, d *guard.Demand, after int64) (reason, err error) {
	l, s := &c.links[i], &c.got[i]
	e := l.eng
	if s.under == nil && d.Breaker && s.cell.Published.Posted().Reports() {
		s.under = probeFor(ctx, e, l.key)
	}
	r := e.behavior.Request()
	r.After = after
	m := guard.Message{Kind: guard.Look, Demand: *d, Request: r}
	if s.under != nil {
		m.Permit = s.under.permit
	}
	if err = e.catchUp(s.cell, &m); err != nil {
		e.behavior.Release(r)
		return nil, err
	}
	cell, answer, err := e.inquire(ctx, s.cell, &m, func(*guard.Cell) (*guard.Cell, error) {
		if after == notAfter {
			return e.find(&l.place)
		}
		return e.known(l.key)
	})
	switch {
	case err == nil:
	case errors.Is(err, errUnknown): // the key has gone
		c.lookForgotten(i, d, after)
		return nil, nil
	case errors.Is(err, mailbox.ErrExpired):
		return nil, e.leftFor(ctx, d)
	default:
		return nil, e.asRefusal(l.key, err)
	}
	s.cell, s.rough = cell, answer.Rough
	s.wait = max(s.wait, waitUntil(answer.At, e.system.Now()))
	switch answer.Err {
	case nil, breaker.ErrOpen, guard.ErrForced, limiter.ErrLimited, ErrQueueFull: //nolint:errorlint // never wrapped
		return answer.Err, nil
	default: // there are never so many tokens, or the actor has panicked
		return nil, e.refuse(l.key, answer.Err, 0)
	}
}

// earliest returns the time until every key would let the call pass if nothing else came. A key that
// lets the call pass at one instant may refuse it later, when the lease of a probe has ended; so every
// key is asked again about an instant at which another one lets the call pass. ok is false if an engine
// has ended or has no room for the key, or if a key never lets the call pass.
func (c *call) earliest(w *guard.Demand) (after int64, ok bool) {
	for range len(c.links) + 1 { // a breaker has one more say at most
		next := after
		for i := range c.links {
			if !c.decides(i) || c.links[i].eng.settings.Load().shadow {
				continue
			}
			_, err := c.lookAt(context.Background(), i, w, next)
			if err != nil || c.got[i].wait == guard.Never {
				return 0, false
			}
			next = max(next, c.got[i].wait)
		}
		if next == after {
			break
		}
		after = next
	}
	return after, true
}
