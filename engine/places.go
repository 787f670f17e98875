package engine

import (
	"context"
	"slices"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// runPlaced is run for an engine with Concurrency: nearly every call takes its place and its token at the key's gate.
//
//go:noinline
func (e *Engine) runPlaced(ctx context.Context, p *place, stay int64, fn func(context.Context) error) error {
	c, err := e.find(p)
	if err != nil {
		return e.refused(e.asRefusal(p.key, err))
	}
	n, now := c.Published.Posted(), e.instant() // a clock that panics has no place yet
	if !n.Policy().Bounded() || !c.Published.Shared() || !n.Enter() {
		return e.runAt(ctx, p, c, stay, fn)
	}
	from, generation, t := c.Published.TakeOne(n, now)
	if t != guard.Taken && !c.Published.Opened(t, now) || ctx.Err() != nil {
		return e.runUnplaced(ctx, p, c, n.Receipt(from, now, 1, generation), t, stay, fn)
	}
	f := placedFlight{flight: flight{cell: c, stripe: e.counters.Stripe(), generation: generation, began: now}}
	f.stripe.Admitted.Add(1)
	defer e.landPlaced(&f)
	err = fn(firstAttempt(ctx))
	f.returned = true
	if err != nil || c.Published.Posted().Reports() || c.Published.FullAt() < 0 {
		if err != nil || !c.Published.Counted(e.system, f.generation, f.began) {
			f.cell = nil
			return e.overPlaced(ctx, p, c, f.generation, stay, fn, err, f.began)
		}
	}
	f.stripe.Successes.Add(1)
	f.cell = nil
	if n.Leave() {
		e.freed(c)
	}
	return nil
}

// placedFlight is a flight with a place.
type placedFlight struct {
	flight
	returned bool // the function has
}

// landPlaced is [Engine.land] for a call with a place. If its function has returned, the clock has panicked.
func (e *Engine) landPlaced(f *placedFlight) {
	if f.cell != nil {
		e.failPlaced(f.cell, f.generation, f.began, f.returned)
	}
}

// runUnplaced is run for a call that has a place, and a token unless t says otherwise, and cannot go on with them.
//
//go:noinline
func (e *Engine) runUnplaced(
	ctx context.Context, p *place, c *guard.Cell, receipt guard.Receipt, t guard.Taking, stay int64, fn func(context.Context) error,
) error {
	a := admission{cell: c, placed: true, receipt: receipt}
	if t != guard.NotTaken {
		a.permit.Generation = receipt.Epoch
		return e.refused(e.giveUpFor(ctx, p, &a, 1))
	}
	e.vacate(&a)
	return e.runAt(ctx, p, c, stay, fn)
}

// overPlaced is [Engine.over] for a call with a place.
//
//go:noinline
func (e *Engine) overPlaced(
	ctx context.Context, p *place, c *guard.Cell, generation uint64, stay int64, fn func(context.Context) error, err error, began int64,
) error {
	a := admission{cell: c, permit: breaker.Permit{Generation: generation}, began: began, placed: true}
	e.reportEnd(ctx, p, &a, err)
	if err = advised(err); err == nil {
		return nil
	}
	return e.again(ctx, p, stay, fn, &a, watch{}, err, began)
}

// failPlaced is [Engine.fail] for a call with a place. If its function has returned, the clock has panicked.
//
//go:noinline
func (e *Engine) failPlaced(c *guard.Cell, generation uint64, began int64, returned bool) {
	e.failAtGate(&admission{cell: c, permit: breaker.Permit{Generation: generation}, began: began, placed: true}, returned)
}

// vacate gives back the place of a, if a has one.
func (e *Engine) vacate(a *admission) {
	if a.placed {
		a.placed = false
		e.leavePlace(a.cell)
	}
}

// leavePlace gives back a place of the key of c.
func (e *Engine) leavePlace(c *guard.Cell) {
	if c.Published.Posted().Leave() {
		e.freed(c)
	}
}

// freed tells the actor of c that a place is free, for which somebody waits.
func (e *Engine) freed(c *guard.Cell) {
	m := guard.Message{Kind: guard.Vacate}
	_, _ = e.deliver(context.Background(), c, &m, func(*guard.Cell) (*guard.Cell, error) { return nil, errUnknown })
}

// loses reports whether a planted fault loses the place of a call that ends.
func loses(a *admission, outcome Outcome, cause error) bool {
	return outcome == Failure && cause == nil && guard.Planted("a place that a call keeps whose function does not return") ||
		outcome == Ignore && guard.Planted("a place that a call keeps which is not made") ||
		a.permit.Generation != a.cell.Published.Generation() && guard.Planted("a place that a late Done keeps")
}

// decideApart is decide for an engine with Shadow or with Concurrency.
func (e *Engine) decideApart(ctx context.Context, p *place, d *guard.Demand, a *admission) error {
	if e.settings.Load().shadow {
		return e.decideInShadow(ctx, p, d, a)
	}
	if err := e.askApart(ctx, p, d, a); err != nil {
		return e.refused(err)
	}
	return nil
}

// askApart is decideApart, and counts nothing.
func (e *Engine) askApart(ctx context.Context, p *place, d *guard.Demand, a *admission) error {
	policy, err := e.approach(p, d, a)
	if err != nil {
		return err
	}
	g := &a.cell.Published
	if policy.TakesPlace(d) {
		if decided, err := e.passPlaced(p, d, a, policy); decided {
			return err
		}
		return e.consult(ctx, p, d, a, nil)
	}
	switch ruling, now, at, receipt := g.Pass(e.system, policy, d, 0); {
	case ruling == guard.Admitted:
		a.permit.Generation, a.receipt, a.at = receipt.Epoch, receipt, now
		return nil
	case ruling == guard.Limited && (d.Mode == limiter.Immediate || d.Hopeless(policy, now, at)):
		return e.refuse(p.key, limiter.ErrLimited, at)
	default:
		return e.consult(ctx, p, d, a, nil)
	}
}

// approach finds the cell of p for a, and the policy that the key follows. The error is the refusal of a call that need
// not look at the tokens.
func (e *Engine) approach(p *place, d *guard.Demand, a *admission) (policy *guard.Policy, err error) {
	if err = e.exceedsAll(e.settings.Load(), p.key, d); err != nil {
		return nil, err
	}
	if a.cell == nil || a.cell.Published.Retired() {
		if a.cell, err = e.find(p); err != nil {
			return nil, e.asRefusal(p.key, err)
		}
	}
	if err = e.openFor(a.cell, d); err != nil {
		return nil, err
	}
	policy = a.cell.Published.Policy()
	return policy, e.exceeds(p.key, policy, d)
}

// passPlaced decides at the gate, unless the actor is to be asked.
func (e *Engine) passPlaced(p *place, d *guard.Demand, a *admission, policy *guard.Policy) (decided bool, err error) {
	g := &a.cell.Published
	switch {
	case !g.Shared():
		return false, nil
	case !g.Posted().Enter():
		if d.Stay >= 0 && !policy.NoWait || !g.Posted().Full() {
			return false, nil // it may wait for a place, or there is one by now
		}
		switch ruling, now, at := g.Look(e.system, policy, d); {
		case ruling == guard.Admitted:
			return true, e.refuse(p.key, limiter.ErrInFlight, 0)
		case ruling == guard.Limited && d.Hopeless(policy, now, at):
			return true, e.refuse(p.key, limiter.ErrLimited, at)
		default:
			return false, nil
		}
	}
	a.placed = true
	passed := false
	defer func() {
		if !passed {
			e.vacate(a)
		}
	}()
	switch ruling, now, at, receipt := g.Pass(e.system, policy, d, 0); {
	case ruling == guard.Admitted:
		a.permit.Generation, a.receipt, a.at = receipt.Epoch, receipt, now
		passed = true
		return true, nil
	case ruling == guard.Limited && d.Hopeless(policy, now, at):
		return true, e.refuse(p.key, limiter.ErrLimited, at)
	default:
		return false, nil
	}
}

// vacate gives back the places of engines that decided about the attempt or, at the end of the call, of those that
// decided once.
func (c *call) vacate(last bool) {
	for i := range c.links {
		if s := &c.got[i]; s.placed && s.once == last {
			c.links[i].eng.vacate(&s.admission)
		}
	}
}

// lacksPlace reports whether no place of link i is free for a call of the demand w, that has none yet.
func (c *call) lacksPlace(i int, w *guard.Demand) bool {
	s := &c.got[i]
	if !w.Breaker || s.placed || s.cell == nil {
		return false
	}
	n := s.cell.Published.Posted()
	return n.Policy().Bounded() && !n.Policy().Stale() && n.Full()
}

// bounded reports whether an engine of c bounds the calls in flight.
func (c *call) bounded() bool {
	return slices.ContainsFunc(c.links, func(l link) bool { return l.eng.settings.Load().bounded })
}

// anew has the next round of a decision begin with nothing but the place that the call has waited for.
func (c *call) anew() {
	for i := range c.got {
		if s := &c.got[i]; !s.placed && c.decides(i) {
			s.admission = admission{detailed: s.detailed}
		}
	}
}

// mayWait reports whether a call of c may wait for a place of link i, for stay, after it has waited there before.
func (c *call) mayWait(i int, stay, waited int64) bool {
	cfg := &c.links[i].eng.settings.Load().config
	return stay >= 0 && cfg.MaxWait != NoWait && !cfg.Shadow && (cfg.MaxWait == 0 || waited < int64(cfg.MaxWait))
}

// awaitPlace waits for a place of link i, and takes it, with a permit. waited is how long the call has waited there.
func (c *call) awaitPlace(ctx context.Context, i int, w *guard.Demand, stay int64, waited *int64) (err error) {
	l, s := &c.links[i], &c.got[i]
	e := l.eng
	if s.cell == nil {
		if s.cell, err = e.find(&l.place); err != nil {
			return e.asRefusal(l.key, err)
		}
	}
	if most := e.settings.Load().config.MaxWait; most > 0 && *waited > 0 {
		stay = guard.Tighter(stay, int64(most)-*waited)
	}
	d := c.demand(i, w)
	d.Tokens, d.Stay, d.Split, d.Details = 0, stay, false, false
	c.asked = true
	since := e.system.Now()
	if err = e.consult(ctx, &l.place, &d, &s.admission, c.links); err == nil {
		*waited += c.now(e) - since
	}
	return err
}
