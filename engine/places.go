package engine

import (
	"context"
	"runtime"

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
	g := &c.Published
	policy := g.Policy()
	if !policy.Bounded() || !g.Shared() || !g.Enter(policy) {
		return e.runAt(ctx, p, c, stay, fn)
	}
	a, returned, admitted := admission{cell: c}, false, false
	e.holds(&a)
	defer func() {
		switch { // no recover: the panic goes on, and recover does not see Goexit
		case returned:
		case admitted:
			e.endedAs(&a, Failure)
			e.report(p, &a, Failure, nil)
		default: // the clock panicked
			e.vacate(&a)
		}
	}()
	now := e.system.Now()
	receipt, ok := g.Take(policy, 1, policy.Latest(1, limiter.Queued, now), now)
	a.receipt, a.permit.Generation, a.began = receipt, receipt.Epoch, now
	switch returned = !ok || ctx.Err() != nil; {
	case !ok:
		e.vacate(&a)
		return e.runAt(ctx, p, c, stay, fn)
	case policy.Rated():
		g.Open(now)
	}
	if returned {
		return e.refused(e.giveUpFor(ctx, p, &a, 1))
	}
	e.admitted(&a)
	admitted = true
	err = fn(firstAttempt(ctx))
	returned = true
	if err == nil && (!g.Reports() || g.Counted(e.system, a.permit.Generation, now)) {
		e.endedAs(&a, Success)
		e.vacate(&a)
		return nil
	}
	e.reportEnd(ctx, p, &a, err)
	if err = advised(err); err == nil {
		return nil
	}
	return e.again(ctx, p, stay, fn, &a, watch{}, err, now)
}

// holds takes note that a has a place.
func (e *Engine) holds(a *admission) {
	a.placed = true
	e.counters.Places(1)
}

// vacate gives back the place of a, if a has one. If somebody waits for a place, the key's actor is told.
func (e *Engine) vacate(a *admission) {
	if a.placed {
		a.placed = false
		e.leavePlace(a.cell)
	}
}

// loses reports whether a planted fault loses the place of a call that ends.
func loses(a *admission, outcome Outcome, cause error) bool {
	return outcome == Failure && cause == nil && guard.Planted("a place that a call keeps whose function does not return") ||
		outcome == Ignore && guard.Planted("a place that a call keeps which is not made") ||
		a.permit.Generation != a.cell.Published.Generation() && guard.Planted("a place that a late Done keeps")
}

// leavePlace gives back a place of the key of c.
func (e *Engine) leavePlace(c *guard.Cell) {
	e.counters.Places(-1)
	if c.Published.Leave() {
		m := guard.Message{Kind: guard.Vacate}
		_, _ = e.deliver(context.Background(), c, &m, func(*guard.Cell) (*guard.Cell, error) { return nil, errUnknown })
	}
}

// decideBounded is decide for a call that may need a place.
func (e *Engine) decideBounded(ctx context.Context, p *place, d *guard.Demand, a *admission) error {
	if err := e.askBounded(ctx, p, d, a); err != nil {
		return e.refused(err)
	}
	return nil
}

// askBounded is decideBounded, and counts nothing.
func (e *Engine) askBounded(ctx context.Context, p *place, d *guard.Demand, a *admission) error {
	policy, err := e.approach(p, d, a)
	if err != nil {
		return err
	}
	if policy.TakesPlace(d) && a.cell.Published.Shared() {
		if decided, err := e.passPlaced(p, d, a, policy); decided {
			return err
		}
	}
	return e.consult(ctx, p, d, a, nil)
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
	if !g.Enter(policy) {
		if d.Stay >= 0 && !policy.NoWait {
			return false, nil // it may wait for a place
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
	e.holds(a)
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

// lost lives as long as a ticket that has places.
type lost struct{ end runtime.Cleanup }

// held is a place that a ticket has.
type held struct {
	eng  *Engine
	cell *guard.Cell
}

// keepPlaces has the places of a ticket come back if it is collected before Done. Without places the result is nil.
func keepPlaces(e *Engine, a *admission, call *call) *lost {
	var places []held
	if call == nil && a.placed {
		places = []held{{e, a.cell}}
	}
	if call != nil {
		for i := range call.got {
			if s := &call.got[i]; s.placed {
				places = append(places, held{call.links[i].eng, s.cell})
			}
		}
	}
	if places == nil {
		return nil
	}
	l := new(lost)
	l.end = runtime.AddCleanup(l, func(places []held) {
		go func() { // a mailbox may be full; ends when the actors have been told
			for _, p := range places {
				p.eng.leavePlace(p.cell)
			}
		}()
	}, places)
	return l
}

// done says that the ticket has ended. l may be nil.
func (l *lost) done() {
	if l != nil {
		l.end.Stop()
		runtime.KeepAlive(l)
	}
}

// lacksPlace reports whether no place of link i is free for a call of the demand w, that has none yet.
func (c *call) lacksPlace(i int, w *guard.Demand) bool {
	s := &c.got[i]
	if !w.Breaker || s.placed || s.cell == nil {
		return false
	}
	g := &s.cell.Published
	p := g.Policy()
	return p.Bounded() && !p.Stale() && !g.Free(p)
}

// mayWait reports whether a call of c may wait for a place of link i, for stay.
func (c *call) mayWait(i int, stay int64) bool {
	st := c.links[i].eng.settings.Load()
	return stay >= 0 && st.config.MaxWait != NoWait && !st.shadow
}

// awaitPlace waits for a place of link i, and takes it, with a permit.
func (c *call) awaitPlace(ctx context.Context, i int, w *guard.Demand, stay int64) (err error) {
	l, s := &c.links[i], &c.got[i]
	e := l.eng
	if s.cell == nil {
		if s.cell, err = e.find(&l.place); err != nil {
			return e.asRefusal(l.key, err)
		}
	}
	d := c.demand(i, w)
	d.Tokens, d.Stay, d.Split, d.Details = 0, stay, false, false
	c.asked = true
	return e.consult(ctx, &l.place, &d, &s.admission, c.links)
}
