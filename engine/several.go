package engine

import (
	"context"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// decide decides about one attempt for several keys. w is the demand that is made of each key, but for
// the number of tokens. If the error is nil, c.got is what the call has got. The error is a *Rejection, or
// the error of ctx; then the call has nothing any more.
//
//  1. Every key is looked at, and nothing is taken. If one is sure to refuse, that is all.
//  2. The tokens are taken, from narrow to wide. Where they are not there, the call queues.
//  3. Every breaker is asked again, for its permit, and nobody waits. So no probe is held by a call that
//     waits.
func (c *call) decide(ctx context.Context, w *guard.Demand) error {
	returned := false
	defer func() {
		if !returned { // a clock panicked
			c.giveUp()
		}
	}()
	i, err := c.ask(ctx, w)
	returned = true
	c.countShadows()
	if err != nil {
		return c.links[i].eng.refused(err)
	}
	return nil
}

// ask is decide but for panics. With an error it returns the link that did not let the attempt pass.
//
// Nobody waits with a place, and nobody who waits for a place has taken tokens. So a call that lacks a place gives back
// all that it has, waits for the place, and then takes what else it needs without a wait; or it gives the place back,
// waits for the tokens, and begins anew. While it waits for tokens it does not mind places: else many calls that lack the
// same tokens would pass a place from one to the other without an end. All its waits for places of one engine are as
// long as the MaxWait of that engine, together.
func (c *call) ask(ctx context.Context, w *guard.Demand) (at int, err error) {
	e := c.links[0].eng
	since := int64(0)
	if w.Stay > 0 && c.bounded() {
		since = e.system.Now()
	}
	d, waited := *w, [longestChain]int64{}
	for held := false; ; {
		at, err = c.askOnce(ctx, &d)
		c.tokens = false
		r, _ := err.(*Rejection) //nolint:errorlint // made by link at just now
		if r == nil || !w.Breaker || r.eng != c.links[at].eng {
			return at, err
		}
		stay := w.Stay
		if stay > 0 {
			stay = guard.Tighter(stay, stay-(e.system.Now()-since))
		}
		switch {
		case held && r.Stage == LimiterStage:
			held, d.Stay, c.tokens = false, stay, true
		case r.Stage == InFlightStage && c.mayWait(at, stay, waited[at]):
			if err = c.awaitPlace(ctx, at, w, stay, &waited[at]); err != nil {
				return at, c.stop(at, w, err)
			}
			held, d.Stay = true, guard.NoStay
		default:
			return at, err
		}
		c.anew()
	}
}

// askOnce is ask for a call that does not wait for places.
func (c *call) askOnce(ctx context.Context, w *guard.Demand) (at int, err error) {
	if at, err = c.look(ctx, w); err != nil {
		return at, err
	}
	stay := w.Stay
	for i := range c.links {
		if guard.Planted("a wide key taken although a narrow one is known to refuse") {
			i = len(c.links) - 1 - i
		}
		if !c.decides(i) {
			continue
		}
		if c.got[i].cell == nil {
			if err = c.findLate(i, w); c.inShadow(i, err) != nil {
				return i, c.stop(i, w, err)
			}
		}
		if c.got[i].cell == nil {
			continue
		}
		if stay, err = c.take(ctx, i, w, stay); c.inShadow(i, err) != nil {
			return i, c.stop(i, w, err)
		}
	}
	for i := range c.links {
		s := &c.got[i]
		if !w.Breaker || !c.decides(i) || s.placed {
			continue
		}
		var reason error
		if s.cell == nil {
			reason = c.findLate(i, w)
		}
		if reason == nil && s.cell != nil && c.links[i].eng.permits(s.cell) {
			reason = c.permit(ctx, i, w)
		}
		if reason = c.inShadow(i, reason); reason != nil {
			return i, c.stop(i, w, reason)
		}
	}
	if c.asked && w.Breaker && c.links[0].eng.endOf(ctx) != nil {
		return 0, c.giveUpFor(ctx) // an answer came at the same time
	}
	return 0, nil
}

// demand returns what w is of link i.
func (c *call) demand(i int, w *guard.Demand) guard.Demand {
	l := &c.links[i]
	d := *w
	d.Tokens, d.From = c.got[i].tokens, l.from
	d.Split, d.Details = w.Breaker, c.details
	if c.got[i].placed { // the call has its permit, too
		d.Breaker, d.Split = false, false
	}
	return d
}

// findLate finds the key of link i, of which nothing was to be asked when the call came, if the call may have
// waited for another key since and a change has come.
func (c *call) findLate(i int, w *guard.Demand) (err error) {
	l, s := &c.links[i], &c.got[i]
	if s.shadowed || !c.asked || guard.Planted("a wide limit that begins unseen by those who wait") {
		return nil
	}
	if d := c.demand(i, w); l.eng.settings.Load().concerns(&d) {
		if s.cell, err = l.eng.find(&l.place); err != nil {
			return l.eng.asRefusal(l.key, err)
		}
	}
	return nil
}

// take takes the tokens of link i, and waits for them where they are not there. It returns the rest of
// stay.
func (c *call) take(ctx context.Context, i int, w *guard.Demand, stay int64) (rest int64, err error) {
	l, s := &c.links[i], &c.got[i]
	e := l.eng
	d := c.demand(i, w)
	policy := s.cell.Published.Policy()
	if !policy.Stale() && !policy.Limited(&d) {
		return stay, nil
	}
	if s.ruling == guard.Admitted {
		if c.asked { // perhaps it has waited: with the reading from before, the tokens would count as taken then
			s.now = 0
		}
		var now, at int64
		switch s.ruling, now, at, s.receipt = s.cell.Published.Pass(e.system, policy, &d, s.now); {
		case s.ruling == guard.Admitted:
			s.at = now
			return stay, nil
		case s.ruling == guard.Limited && d.Hopeless(policy, now, at):
			return stay, e.refuse(l.key, limiter.ErrLimited, at)
		}
	}
	since := int64(0)
	if d.Stay = stay; stay > 0 {
		since = e.system.Now()
	}
	c.asked = true
	err = e.consult(ctx, &l.place, &d, &s.admission, c.links)
	if stay > 0 {
		stay = guard.Tighter(stay, stay-(c.now(e)-since))
	}
	return stay, err
}

// inShadow returns err, the refusal of link i; or nil if the link's engine refuses nothing. The call has nothing of
// the link then.
func (c *call) inShadow(i int, err error) error {
	l, s := &c.links[i], &c.got[i]
	r, ok := err.(*Rejection) //nolint:errorlint // made by link i just now
	if !ok || r.eng != l.eng || r.Stage == "" || !l.eng.settings.Load().shadow {
		return err
	}
	if s.cell != nil && !guard.Planted("tokens of a call that shadow lets pass") {
		l.eng.giveUp(&l.place, &s.admission, s.tokens)
	}
	s.admission = admission{shadowed: true}
	return nil
}

// countShadows counts the refusals of engines with Shadow, at the end of a decision.
func (c *call) countShadows() {
	for i := range c.got {
		if l := &c.links[i]; c.got[i].shadowed && c.decides(i) {
			l.eng.countRefusal(l.key, &l.eng.counters.ShadowRefused)
		}
	}
}

// permit takes the permit of link i's breaker.
func (c *call) permit(ctx context.Context, i int, w *guard.Demand) error {
	l, s := &c.links[i], &c.got[i]
	e := l.eng
	if e.ended.Load() {
		return e.refuse(l.key, ErrClosed, 0)
	}
	d := c.demand(i, w)
	d.Tokens, d.Stay, d.Split = 0, guard.NoStay, false
	g := &s.cell.Published
	policy := g.Policy()
	takes := policy.TakesPlace(&d)
	if takes && g.Shared() && !policy.Stale() {
		switch {
		case g.Posted().Enter():
			s.placed = true
		case !policy.Stale() && g.Posted().Full():
			return e.refuse(l.key, limiter.ErrInFlight, 0)
		}
	}
	if s.under == nil && takes == s.placed && !policy.Stale() && c.permitAtGate(i, policy) {
		return nil
	}
	e.vacate(&s.admission)
	c.asked = true
	return e.consult(ctx, &l.place, &d, &s.admission, c.links)
}

// permitAtGate is permit at the gate of a closed breaker, whose key follows policy.
func (c *call) permitAtGate(i int, policy *guard.Policy) bool {
	e, s := c.links[i].eng, &c.got[i]
	generation, ok := s.cell.Published.Permit(policy, s.now)
	if !ok {
		return false
	}
	s.permit.Generation = generation
	if policy.Rated() && !guard.Planted("a permit that begins no slice") {
		now := s.now
		if c.asked || now == 0 { // perhaps the call has waited, or the look has asked the actor
			now = e.system.Now()
		}
		s.cell.Published.Open(now)
	}
	return true
}

// stop ends an attempt that link i did not let pass, because of err.
func (c *call) stop(i int, w *guard.Demand, err error) error {
	if r, ok := err.(*Rejection); ok && r.until() != 0 { //nolint:errorlint // made by link i just now
		return c.refuse(i, w, r.reason())
	}
	c.giveUp()
	return err
}

// refuse gives back what the call has got, and makes the refusal of link i. RetryAfter is the time until
// every key lets the call pass.
func (c *call) refuse(i int, w *guard.Demand, reason error) error {
	c.giveUp()
	l := &c.links[i]
	e := l.eng
	if reason == limiter.ErrInFlight { //nolint:errorlint // never wrapped
		return e.refuse(l.key, reason, 0) // nobody knows when a call ends
	}
	if after, ok := c.earliest(w); ok {
		return e.refuse(l.key, reason, guard.Later(e.system.Now(), after))
	}
	return e.refuse(l.key, reason, 0)
}
