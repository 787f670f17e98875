package engine

import (
	"context"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/retry"
)

// Do calls fn for key under the guard of e and returns the results of fn. Each attempt passes the
// breaker and the limiter of key first, and then runs fn on the caller's goroutine. Any goroutine may
// call Do.
//
// If ctx has ended already, Do returns the error of ctx and touches nothing. If ctx ends while the call
// waits, or its deadline passes, fn is not called: Do returns the error of ctx, a token that was taken
// is given back unless others have taken tokens since (Stats.KeptSpent), and the breaker counts nothing. The error of a context holds the context's Err and its
// cause (context.Cause), so that errors.Is finds both.
//
// The error is
//
//   - a *Rejection if the engine refuses the first attempt;
//   - the error of fn as it is, if fn is not tried again: without a retry policy, if the error is
//     permanent or RetryIf declines it, or if ctx was cancelled during the attempt;
//   - a *retry.ExhaustedError if no attempt is left, or if a further attempt could not begin within
//     MaxElapsed or before the deadline of ctx;
//   - a *StoppedError, which holds the reason and the last error of fn, if a further attempt is
//     refused, or if ctx or the engine ends before a further attempt.
//
// A panic of fn, and runtime.Goexit, count as a failure and go on untouched.
func Do[T any](ctx context.Context, e *Engine, key string, fn func(context.Context) (T, error)) (T, error) {
	var v T
	err := e.Run(ctx, key, func(ctx context.Context) (err error) {
		v, err = fn(ctx)
		return err
	})
	return v, err
}

// DoKey is [Do] for the key of a handle.
func DoKey[T any](ctx context.Context, k Key, fn func(context.Context) (T, error)) (T, error) {
	var v T
	err := k.Run(ctx, func(ctx context.Context) (err error) {
		v, err = fn(ctx)
		return err
	})
	return v, err
}

// Run is [Do] for a function without a result.
func (e *Engine) Run(ctx context.Context, key string, fn func(context.Context) error) error {
	return e.run(ctx, &place{key: key}, guard.AsLong, e.once, fn)
}

// run makes attempts until one succeeds or none is to follow. If ch is not nil, the call is one for the
// keys of ch; p is the first of them.
//
// Nearly every call takes its token at the key's gate and succeeds. For such a call run is all there is.
// What other calls need has frames of its own, so that goroutines keep small stacks.
func (e *Engine) run(ctx context.Context, p *place, stay int64, ch *chain, fn func(context.Context) error) error {
	if ch != nil || !e.gated || stay < guard.NoStay || e.ended.Load() {
		return e.runOther(ctx, p, stay, ch, fn)
	}
	if ctx.Err() != nil {
		return e.endOf(ctx)
	}
	// The cell is found before the clock is read: a reading holds for a cell that was found before it.
	var c *guard.Cell
	var err error
	if p.cell == nil {
		var h actors.Hash
		if c, h = e.system.Lookup(p.key); c == nil {
			c, err = e.keep(p, c, h)
		}
	} else if c = p.cell.Load(); c == nil {
		c, err = e.find(p)
	}
	if err != nil {
		return e.refused(e.refuse(p.key, err, 0))
	}
	var now int64
	if e.base.IsZero() {
		now = e.system.Now()
	} else {
		now = int64(time.Since(e.base)) + 1 // the same, for two calls less
	}
	receipt, ok := c.Published.Admit(e.policy, now)
	if !ok { // perhaps the cell has been retired
		return e.runAt(ctx, p, c, stay, fn)
	}
	if ctx.Err() != nil {
		return e.refused(e.giveUpFor(ctx, p, &admission{cell: c, receipt: receipt}))
	}
	stripe, generation := e.counters.Stripe(), receipt.Epoch
	stripe.Admitted.Add(1)
	returned := false // no recover: the panic goes on, and recover does not see Goexit
	defer func() {
		if !returned {
			e.fail(p, c, generation)
		}
	}()
	err = fn(ctx)
	returned = true
	if err == nil && !c.Published.Reports() {
		stripe.Successes.Add(1)
		return nil
	}
	return e.over(ctx, p, c, generation, stay, fn, err, now)
}

// runOther is run for a call that its key's gate alone cannot decide.
//
//go:noinline
func (e *Engine) runOther(ctx context.Context, p *place, stay int64, ch *chain, fn func(context.Context) error) error {
	switch {
	case ch != nil && ch.isPlaceholder():
		return e.plain(p).run(ctx, stay, fn)
	case ch != nil:
		return ch.run(ctx, stay, fn)
	case ctx.Err() != nil:
		return e.endOf(ctx)
	default:
		return e.runAt(ctx, p, nil, stay, fn)
	}
}

// runAt is run for a call for one key that may have to ask the key's actor. c is the key's cell if that
// has been found.
//
//go:noinline
func (e *Engine) runAt(ctx context.Context, p *place, c *guard.Cell, stay int64, fn func(context.Context) error) error {
	a := admission{cell: c}
	var err error
	if stay == guard.AsLong { // begin, without the clock
		err = e.decide(ctx, p, &plainCall, &a)
	} else {
		stay, err = e.beginWithin(ctx, p, stay, &a)
	}
	if err != nil {
		return err
	}
	var began int64
	if e.maxElapsed > 0 {
		began = e.nowHolding(p, &a)
	}
	if ctx.Err() != nil {
		return e.refused(e.giveUpFor(ctx, p, &a))
	}
	e.counters.Stripe().Admitted.Add(1)
	if err = e.attempt(ctx, p, &a, fn); err == nil {
		return nil
	}
	return e.again(ctx, p, stay, fn, &a, err, began)
}

// again ends a call whose first attempt, admitted as a at the instant began, ended with err, or makes the
// further attempts, as [call.rerun] does for any number of keys.
//
//go:noinline
func (e *Engine) again(
	ctx context.Context, p *place, stay int64, fn func(context.Context) error, a *admission, err error, began int64,
) error {
	if e.retry == nil || isRejection(err) {
		return retry.Strip(err)
	}
	links, got := [1]link{{eng: e, place: *p}}, [1]share{{admission: *a}}
	c := call{links: links[:], got: got[:]}
	return c.rerun(ctx, e, stay, fn, err, began)
}

// over is the rest of a call that the gate of c let through in a generation of the breaker, after its
// first attempt, which began at the instant began and ended with err.
//
//go:noinline
func (e *Engine) over(
	ctx context.Context, p *place, c *guard.Cell, generation uint64, stay int64, fn func(context.Context) error, err error,
	began int64,
) error {
	a := admission{cell: c, permit: breaker.Permit{Generation: generation}}
	e.reportEnd(ctx, p, &a, err)
	if err = advised(err); err == nil {
		return nil
	}
	return e.again(ctx, p, stay, fn, &a, err, began)
}

// fail is the end of an attempt whose function has not returned. The gate of c let the attempt through in a
// generation of the breaker.
//
//go:noinline
func (e *Engine) fail(p *place, c *guard.Cell, generation uint64) {
	e.endedAs(Failure)
	e.report(p, &admission{cell: c, permit: breaker.Permit{Generation: generation}}, Failure)
}

// beginWithin is begin for a first attempt whose stay is bounded.
func (e *Engine) beginWithin(ctx context.Context, p *place, stay int64, a *admission) (rest int64, err error) {
	if stay < guard.NoStay {
		return stay, errStay(stay)
	}
	return e.begin(ctx, p, stay, guard.Never, a)
}

// attempt calls fn, and counts and reports the outcome, also if fn panics or ends its goroutine.
func (e *Engine) attempt(ctx context.Context, p *place, a *admission, fn func(context.Context) error) error {
	inFn, probe := e.asProbe(ctx, p.key, a.permit)
	returned := false // no recover: the panic goes on, and recover does not see Goexit
	defer func() {
		if !returned {
			probe.end()
			e.endedAs(Failure)
			e.report(p, a, Failure)
		}
	}()
	err := fn(inFn)
	probe.end()
	returned = true
	e.reportEnd(ctx, p, a, err)
	return advised(err)
}
