package engine

import (
	"context"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// run makes attempts until one succeeds or none is to follow. If ch is not nil, the call is one for the
// keys of ch; p is the first of them.
//
// Nearly every call takes its token at the key's gate and succeeds. For such a call run is all there is.
// What other calls need has frames of its own, so that goroutines keep small stacks.
func (e *Engine) run(ctx context.Context, p *place, stay int64, ch *chain, fn func(context.Context) error) error {
	if ch != nil || stay < guard.NoStay {
		return e.runApart(ctx, p, stay, ch, fn)
	}
	if !e.settings.Load().plain || ctx.Err() != nil {
		return e.runOther(ctx, p, stay, fn)
	}
	c, h, err := (*guard.Cell)(nil), actors.Hash(0), error(nil)
	if p.cell == nil {
		c, h = e.system.Lookup(p.key)
	} else {
		c = p.cell.Load()
	}
	if c == nil {
		if c, err = e.bear(p, h); err != nil {
			return err
		}
	}
	n, fullAt := c.Published.Posted(), c.Published.FullAt() // and then the clock: so the reading holds for both
	if fullAt < 0 {
		return e.runOwned(ctx, p, c, stay, fn)
	}
	var now int64
	if !e.monotonic {
		now = e.system.Now()
	} else {
		now = int64(time.Since(e.base)) // the same as Now, for two calls less
	}
	from, generation, t := c.Published.TakeOne(n, now)
	if t != guard.Taken && !c.Published.Opened(t, now) {
		return e.runShort(ctx, p, c, n.Policy(), fullAt, now, stay, fn)
	}
	f := flight{cell: c, stripe: e.counters.Stripe(), generation: generation, began: now}
	if ctx.Err() != nil {
		return e.runLeft(ctx, p, n, &f, from)
	}
	f.stripe.Admitted.Add(1)
	defer e.land(&f)
	err = fn(firstAttempt(ctx))
	c, f.cell = f.cell, nil // fn has returned
	if err != nil || c.Published.Posted().Reports() || c.Published.FullAt() < 0 {
		if err != nil || !c.Published.Counted(e.system, f.generation, f.began) {
			return e.over(ctx, p, c, &f, stay, fn, err)
		}
	}
	f.stripe.Successes.Add(1)
	return nil
}

// flight is an attempt that the gate of a key has let through.
type flight struct {
	cell       *guard.Cell // nil once the function has returned
	stripe     *guard.Stripe
	generation uint64 // of the breaker
	began      int64
}

// land ends the flight f if its function has not returned. Land does not recover: the panic goes on, and recover
// does not see Goexit.
func (e *Engine) land(f *flight) {
	if f.cell != nil {
		e.fail(f)
	}
}

// runLeft ends the flight f, whose context has ended before its function began. The token of f was taken by the
// notice n, from the full-at from.
//
//go:noinline
func (e *Engine) runLeft(ctx context.Context, p *place, n *guard.Notice, f *flight, from int64) error {
	a := admission{cell: f.cell, receipt: n.Receipt(from, f.began, 1, f.generation)}
	return e.refused(e.giveUpFor(ctx, p, &a, 1))
}

// runApart is run for the keys of a chain, and for a call with a bad stay.
//
//go:noinline
func (e *Engine) runApart(ctx context.Context, p *place, stay int64, ch *chain, fn func(context.Context) error) error {
	if ch != nil {
		return ch.run(ctx, stay, fn)
	}
	return e.runOther(ctx, p, stay, fn)
}

// runOther is run for a call that its key's gate alone cannot decide.
//
//go:noinline
func (e *Engine) runOther(ctx context.Context, p *place, stay int64, fn func(context.Context) error) error {
	switch {
	case e.settings.Load().perCall:
		return e.chainOf(p).run(ctx, stay, fn)
	case ctx.Err() != nil:
		return e.endOf(ctx)
	case e.settings.Load().timeLimited:
		return e.runTimed(ctx, p, stay, fn)
	case stay == guard.AsLong && e.settings.Load().placed:
		return e.runPlaced(ctx, p, stay, fn)
	default:
		return e.runAt(ctx, p, nil, stay, fn)
	}
}

// runOwned is run for a call that finds the gate of c owned, or c retired.
//
//go:noinline
func (e *Engine) runOwned(ctx context.Context, p *place, c *guard.Cell, stay int64, fn func(context.Context) error) error {
	if n := c.Published.Posted(); n.Refuses() && !n.Policy().Stale() { // as in openFor
		if e.instant() < n.Until() {
			if n := e.counters.Stripe().Open.Add(1); guard.Sampled(n) { // CountRefusal would not be inlined
				e.counters.Refused.Count(c, n)
			}
			return n.Refusal()
		}
	}
	return e.runAt(ctx, p, c, stay, fn)
}

// runShort is run for a call that got no token: the gate of c had fullAt, by policy, before the reading now.
//
//go:noinline
func (e *Engine) runShort(
	ctx context.Context, p *place, c *guard.Cell, policy *guard.Policy, fullAt, now, stay int64, fn func(context.Context) error,
) error {
	if d := callFor(stay); fullAt > policy.Latest(1, limiter.Queued, now) && c.Published.Follows(policy) && !policy.Stale() {
		if at := policy.Limits[0].Ready(fullAt, 1, limiter.Queued); d.Hopeless(policy, now, at) {
			if n := e.counters.Stripe().Limited.Add(1); guard.Sampled(n) { // CountRefusal would not be inlined
				e.counters.Refused.Count(c, n)
			}
			return e.refuse(p.key, limiter.ErrLimited, at)
		}
	}
	return e.runAt(ctx, p, c, stay, fn) // the call may wait, or other callers came first
}

// runAt is run for a call for one key that may have to ask the key's actor. c is the key's cell if that
// has been found.
//
//go:noinline
func (e *Engine) runAt(ctx context.Context, p *place, c *guard.Cell, stay int64, fn func(context.Context) error) error {
	a := admission{cell: c}
	var w watch
	var err error
	if w.on = e.settings.Load().watched; w.on {
		w.asked = e.system.Now()
		w.ended = w.asked
	}
	if stay == guard.AsLong { // begin, without the clock
		err = e.decide(ctx, p, &plainCall, &a)
	} else {
		stay, err = e.beginWithin(ctx, p, stay, &a)
	}
	if err != nil {
		return told(ctx, err)
	}
	e.timed(&a)
	var began int64
	if e.settings.Load().maxElapsed > 0 {
		began = e.nowHolding(p, &a, 1)
	}
	if ctx.Err() != nil {
		return e.refused(e.giveUpFor(ctx, p, &a, 1))
	}
	e.admitted(&a)
	if err = e.attempt(ctx, p, &a, &w, fn); err == nil {
		return nil
	}
	return e.again(ctx, p, stay, fn, &a, w, err, began)
}

// again ends a call whose first attempt, admitted as a at the instant began, ended with err, or makes the
// further attempts, as [call.rerun] does for any number of keys.
//
//go:noinline
func (e *Engine) again(
	ctx context.Context, p *place, stay int64, fn func(context.Context) error, a *admission, w watch, err error, began int64,
) error {
	st := e.settings.Load()
	if st.retry == nil || isRejection(err) {
		return retry.Strip(err)
	}
	links, got := [1]link{{eng: e, place: *p, tokens: 1}}, [1]share{{admission: *a}}
	c := call{links: links[:], got: got[:], watch: w, limits: limitsOf(links[:])}
	return c.rerun(ctx, e, st, stay, fn, err, began)
}

// over is the rest of a call after its first attempt, which was the flight f by the gate of c and ended with err.
//
//go:noinline
func (e *Engine) over(ctx context.Context, p *place, c *guard.Cell, f *flight, stay int64, fn func(context.Context) error, err error) error {
	a := admission{cell: c, permit: breaker.Permit{Generation: f.generation}, began: f.began}
	e.reportEnd(ctx, p, &a, err)
	if err = advised(err); err == nil {
		return nil
	}
	return e.again(ctx, p, stay, fn, &a, watch{}, err, f.began)
}

// fail ends the flight f, whose function has not returned.
//
//go:noinline
func (e *Engine) fail(f *flight) {
	a := admission{cell: f.cell, permit: breaker.Permit{Generation: f.generation}, began: f.began}
	e.endedAs(&a, Failure)
	e.report(&place{key: f.cell.Key()}, &a, Failure, nil)
}

// beginWithin is begin for a first attempt whose stay is bounded.
func (e *Engine) beginWithin(ctx context.Context, p *place, stay int64, a *admission) (rest int64, err error) {
	if stay < guard.NoStay {
		return stay, errStay(stay)
	}
	return e.begin(ctx, p, 1, stay, guard.Never, a)
}

// attempt calls fn, and counts and reports the outcome, also if fn panics or ends its goroutine. It tells the watchers,
// if w is on.
func (e *Engine) attempt(ctx context.Context, p *place, a *admission, w *watch, fn func(context.Context) error) error {
	inFn, probe := e.asProbe(firstAttempt(ctx), p.key, a.permit)
	returned := false // no recover: the panic goes on, and recover does not see Goexit
	defer func() {
		if !returned {
			probe.end()
			e.conclude(w)
			e.endedAs(a, Failure)
			e.report(p, a, Failure, nil)
		}
	}()
	if w.on {
		w.begin(e)
		e.announce(ctx, p.key, w, nil, a.isProbe())
	}
	err := fn(inFn)
	probe.end()
	returned = true
	e.conclude(w)
	e.reportEnd(ctx, p, a, err)
	return advised(err)
}
