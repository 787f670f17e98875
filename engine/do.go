package engine

import (
	"context"

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
func (e *Engine) run(ctx context.Context, p *place, stay int64, ch *chain, fn func(context.Context) error) error {
	if ch != nil {
		if ch.isPlaceholder() {
			ch = e.plain(p)
		}
		return ch.run(ctx, stay, fn)
	}
	if ctx.Err() != nil {
		return e.endOf(ctx)
	}
	var a admission
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
		return e.giveUpFor(ctx, p, &a)
	}
	if err = e.attempt(ctx, p, &a, fn); err == nil {
		return nil
	}
	if e.retry == nil || isRejection(err) {
		return retry.Strip(err)
	}
	return e.rerun(ctx, p, stay, fn, &a, err, began)
}

// rerun makes the attempts after the first, as [call.rerun] does for any number of keys. Its frame is not
// that of run, so that goroutines whose calls succeed keep small stacks.
//
//go:noinline
func (e *Engine) rerun(
	ctx context.Context, p *place, stay int64, fn func(context.Context) error, a *admission, err error, began int64,
) error {
	links, got := [1]link{{eng: e, place: *p}}, [1]share{{admission: *a}}
	c := call{links: links[:], got: got[:]}
	return c.rerun(ctx, e, stay, fn, err, began)
}

// beginWithin is begin for a first attempt whose stay is bounded.
func (e *Engine) beginWithin(ctx context.Context, p *place, stay int64, a *admission) (rest int64, err error) {
	if stay < guard.NoStay {
		return stay, errStay(stay)
	}
	return e.begin(ctx, p, stay, guard.Never, a)
}

// attempt calls fn and records the outcome, also if fn panics or ends its goroutine.
func (e *Engine) attempt(ctx context.Context, p *place, a *admission, fn func(context.Context) error) error {
	if !e.policy.Breaks() {
		return advised(fn(ctx))
	}
	inFn, probe := e.asProbe(ctx, p.key, a.permit)
	returned := false // no recover: the panic goes on, and recover does not see Goexit
	defer func() {
		if !returned {
			probe.end()
			e.report(p, a, Failure)
		}
	}()
	err := fn(inFn)
	probe.end()
	outcome := Success
	if err != nil {
		outcome = e.judge(ctx, err)
	}
	returned = true
	if outcome != Success || a.permit.Lease != 0 || a.cell.Published.Reports() {
		e.report(p, a, outcome)
	}
	return advised(err)
}
