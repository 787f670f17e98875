package engine

import (
	"context"
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// runTimed is run for a call with time limits. Nearly every such call takes its token, and its place, at the key's gate,
// and makes its context then. A refusal makes none.
//
//go:noinline
func (e *Engine) runTimed(ctx context.Context, p *place, stay int64, fn func(context.Context) error) error {
	if stay < guard.NoStay {
		return errStay(stay)
	}
	st := e.settings.Load()
	var a admission
	switch passed, err := e.passAtGate(st, p, stay, &a); {
	case err != nil:
		return err
	case !passed:
		return e.runTimedAt(ctx, p, stay, fn)
	case ctx.Err() != nil:
		return e.refused(e.giveUpFor(ctx, p, &a, 1))
	}
	var limits timeLimits
	stripe, returned, over := e.counters.Stripe(), false, false
	stripe.Admitted.Add(1)
	defer func() {
		if !over { // no recover: the panic goes on, and recover does not see Goexit
			limits.leave()
			e.failAtGate(&a, returned)
		}
	}()
	limits.add(e, st)
	in := limits.enter(ctx)
	err := fn(firstAttempt(in))
	returned = true
	if gate := &a.cell.Published; err == nil && (!gate.Reports() || gate.Counted(e.system, a.permit.Generation, a.began)) {
		stripe.Successes.Add(1)
		over = true
		e.vacate(&a)
		limits.leave()
		return nil
	}
	over = true
	return e.overTimed(ctx, in, p, &a, limits, stay, fn, err)
}

// passAtGate has the gate of p's key let a call through as a, if the gate alone can do so. err is a refusal.
func (e *Engine) passAtGate(st *settings, p *place, stay int64, a *admission) (passed bool, err error) {
	if !st.timed {
		return false, nil
	}
	c, err := e.find(p)
	if err != nil {
		return false, e.refused(e.asRefusal(p.key, err))
	}
	n := c.Published.Posted()
	policy, fullAt, now := n.Policy(), c.Published.FullAt(), e.system.Now() // the clock is read last, as in run
	if fullAt < 0 {
		if err = e.openFor(c, &plainCall); err != nil {
			e.counters.CountRefusal(&e.counters.Stripe().Open, c)
		}
		return false, err
	}
	a.cell, a.placed = c, policy.Bounded()
	if a.placed && !n.Enter() {
		return false, nil
	}
	receipt, ok := c.Published.Take(policy, 1, policy.Latest(1, limiter.Queued, now), now)
	if !ok {
		e.vacate(a)
		return false, e.tooShort(st, p, c, policy, fullAt, now, stay)
	}
	if policy.Rated() {
		c.Published.Open(now)
	}
	a.receipt, a.permit.Generation, a.began = receipt, receipt.Epoch, now
	return true, nil
}

// tooShort returns the refusal of a call whose token is not there within its time limits and stay, or nil: the gate of c
// had fullAt, by policy, before the reading now.
func (e *Engine) tooShort(st *settings, p *place, c *guard.Cell, policy *guard.Policy, fullAt, now, stay int64) error {
	if fullAt <= policy.Latest(1, limiter.Queued, now) || !c.Published.Follows(policy) || policy.Stale() {
		return nil // other callers came first
	}
	for _, limit := range [...]time.Duration{st.config.Timeout, st.config.AttemptTimeout} {
		if limit > 0 {
			stay = guard.Tighter(stay, int64(limit))
		}
	}
	at := policy.Limits[0].Ready(fullAt, 1, limiter.Queued)
	if d := callFor(stay); !d.Hopeless(policy, now, at) {
		return nil
	}
	e.counters.CountRefusal(&e.counters.Stripe().Limited, c)
	return e.refuse(p.key, limiter.ErrLimited, at)
}

// runTimedAt is run for a call with time limits that may have to ask the key's actor.
//
//go:noinline
func (e *Engine) runTimedAt(ctx context.Context, p *place, stay int64, fn func(context.Context) error) error {
	links, got := [1]link{{eng: e, place: *p, tokens: 1}}, [1]share{}
	c := call{links: links[:], got: got[:]}
	return c.perform(ctx, stay, fn)
}

// overTimed is the rest of a call with time limits that the gate let through as a, after its first attempt, which had
// the context in and ended with err.
//
//go:noinline
func (e *Engine) overTimed(
	ctx, in context.Context, p *place, a *admission, limits timeLimits, stay int64, fn func(context.Context) error, err error,
) error {
	links, got := [1]link{{eng: e, place: *p, tokens: 1}}, [1]share{{admission: *a}}
	c := call{links: links[:], got: got[:], limits: &limits}
	defer limits.leave()
	c.end(in, err)
	st := e.settings.Load()
	if err = advised(err); err == nil || st.retry == nil || c.kept {
		return retry.Strip(err)
	}
	return c.rerun(ctx, e, st, stay, fn, err, a.began)
}

// failAtGate ends a call that the gate let through as a, and that does not return. If its function has returned, the
// clock has panicked.
//
//go:noinline
func (e *Engine) failAtGate(a *admission, returned bool) {
	if returned {
		e.endedAs(a, Ignore)
		e.vacate(a)
		return
	}
	e.endedAs(a, Failure)
	e.report(&place{key: a.cell.Key()}, a, Failure, nil)
}
