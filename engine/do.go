package engine

import (
	"context"
	"errors"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/retry"
)

// Do calls fn for key under the guard of e and returns the results of fn. Each attempt passes the
// breaker and the limiter of key first, and then runs fn on the caller's goroutine. Any goroutine may
// call Do.
//
// If ctx has ended already, Do returns the error of ctx and touches nothing. If ctx ends while the call
// waits, or its deadline passes, fn is not called: Do returns the error of ctx, a token that was taken
// stays spent, and the breaker counts nothing. The error of a context holds the context's Err and its
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
	return do(ctx, e, place{key: key}, asLong, fn)
}

// DoKey is [Do] for the key of a handle.
func DoKey[T any](ctx context.Context, k Key, fn func(context.Context) (T, error)) (T, error) {
	return do(ctx, k.eng, k.place, k.stay, fn)
}

func do[T any](ctx context.Context, e *Engine, p place, stay int64, fn func(context.Context) (T, error)) (T, error) {
	var v T
	err := e.run(ctx, p, stay, func(ctx context.Context) (err error) {
		v, err = fn(ctx)
		return err
	})
	return v, err
}

// Run is [Do] for a function without a result.
func (e *Engine) Run(ctx context.Context, key string, fn func(context.Context) error) error {
	return e.run(ctx, place{key: key}, asLong, fn)
}

// run makes attempts until one succeeds or none is to follow.
func (e *Engine) run(ctx context.Context, p place, stay int64, fn func(context.Context) error) error {
	if ctx.Err() != nil {
		return endOf(ctx)
	}
	if stay < noStay {
		return errStay(stay)
	}
	var a admission
	var err error
	if stay > 0 {
		a, stay, err = e.begin(ctx, p, stay, actors.Never)
	} else { // begin, without the clock
		a, err = e.decide(ctx, p, demand{n: 1, way: calling, stay: stay})
		if err == nil && ctx.Err() != nil {
			err = e.giveUpFor(ctx, p, a)
		}
	}
	if err != nil {
		return err
	}
	var began int64
	if e.retry != nil && e.retry.MaxElapsed > 0 {
		began = e.nowHolding(p, &a)
	}
	if err = e.attempt(ctx, p, &a, fn); err == nil {
		return nil
	}
	return e.rerun(ctx, p, stay, fn, a, err, began)
}

// rerun makes the attempts after the first, which was admitted as a, began at the instant began, and
// ended with err.
func (e *Engine) rerun(
	ctx context.Context, p place, stay int64, fn func(context.Context) error, a admission, err error, began int64,
) error {
	var schedule retry.Schedule
	end := e.lastBegin(began)
	for attempts := 1; ; attempts++ {
		if e.retry == nil || isRejection(err) {
			return retry.Strip(err)
		}
		left, gone := remaining(ctx)
		if gone {
			return retry.Strip(err)
		}
		if attempts == 1 {
			schedule = e.retry.Schedule(e.retried.Add(1))
		}
		delay, final, again := schedule.Next(err, time.Duration(e.system.Now()-began), left)
		last := retry.Strip(err)
		switch exhausted, _ := final.(*retry.ExhaustedError); { //nolint:errorlint // made by Next, or fn's own
		case !again && exhausted != nil && exhausted.Attempts == attempts:
			return e.exhausted(ctx, attempts, last)
		case !again:
			return final
		case !e.inTime(ctx, delay, end): // RetryIf took its time
			return e.exhausted(ctx, attempts, last)
		}
		if a, stay, err = e.another(ctx, p, stay, a, delay, end); err != nil {
			if isLate(err, end) {
				return e.exhausted(ctx, attempts, last)
			}
			return &StoppedError{Reason: err, Last: last}
		}
		if err = e.attempt(ctx, p, &a, fn); err == nil {
			return nil
		}
	}
}

// exhausted is the error of a call that has no attempts left, or no time.
func (e *Engine) exhausted(ctx context.Context, attempts int, last error) error {
	return &retry.ExhaustedError{Attempts: attempts, Err: last, Reason: endOf(ctx)}
}

// lastBegin is the last instant at which an attempt may begin by MaxElapsed, if the first attempt began
// at began.
func (e *Engine) lastBegin(began int64) int64 {
	if e.retry == nil || e.retry.MaxElapsed == 0 {
		return actors.Never
	}
	return later(began, int64(e.retry.MaxElapsed))
}

// inTime reports whether an attempt after delay begins by end and before the deadline of ctx.
func (e *Engine) inTime(ctx context.Context, delay time.Duration, end int64) bool {
	left, gone := remaining(ctx)
	return !gone && delay < left && (end == actors.Never || later(e.system.Now(), int64(delay)) <= end)
}

// another waits delay and has a further attempt decided, the last one having been admitted as a. If the
// error is nil, the attempt is to begin. An attempt that cannot begin by end is refused as early as
// that is known.
func (e *Engine) another(
	ctx context.Context, p place, stay int64, a admission, delay time.Duration, end int64,
) (admission, int64, error) {
	if err := e.foresee(p, a, delay, end); err != nil {
		return a, stay, err
	}
	if err := e.sleep(ctx, p, delay); err != nil {
		return a, stay, err
	}
	if end != actors.Never && e.system.Now() > end {
		return a, stay, errLate // the timer was late
	}
	a, stay, err := e.begin(ctx, p, stay, end)
	if err == nil && end != actors.Never && e.nowHolding(p, &a) > end {
		e.giveUp(p, a) // the queue was late
		err = errLate
	}
	return a, stay, err
}

// begin decides about one attempt of a call that may stay in the queue for stay. If the error is nil,
// the attempt is admitted and ctx has not ended. An attempt that could not begin by the instant end is
// refused at once. begin returns the rest of stay for further attempts.
func (e *Engine) begin(ctx context.Context, p place, stay, end int64) (a admission, rest int64, err error) {
	d := demand{n: 1, way: calling, stay: stay}
	var since int64
	if stay > 0 || end != actors.Never {
		since = e.system.Now()
		d.stay = tighter(stay, end-since)
	}
	a, err = e.decide(ctx, p, d)
	if err == nil && ctx.Err() != nil {
		err = e.giveUpFor(ctx, p, a)
	}
	if stay > 0 {
		stay = tighter(stay, stay-(e.nowHolding(p, &a)-since))
	}
	return a, stay, err
}

// nowHolding reads the clock while a call holds the admission a. If the clock panics, a probe's place
// comes back.
func (e *Engine) nowHolding(p place, a *admission) int64 {
	read := false
	defer func() {
		if !read && a.cell != nil {
			e.report(p, a, Ignore)
		}
	}()
	now := e.system.Now()
	read = true
	return now
}

// giveUp ends a call that was admitted as a and is not made. A probe's place comes back; the token
// stays spent.
func (e *Engine) giveUp(p place, a admission) {
	if len(e.keeper.limits) > 0 {
		e.keptSpent.Add(1)
	}
	e.report(p, &a, Ignore)
}

// giveUpFor is giveUp for a call whose context has ended, and returns the call's error.
func (e *Engine) giveUpFor(ctx context.Context, p place, a admission) error {
	e.giveUp(p, a)
	return calling.left(ctx)
}

// attempt calls fn and records the outcome, also if fn panics or ends its goroutine.
func (e *Engine) attempt(ctx context.Context, p place, a *admission, fn func(context.Context) error) error {
	if !e.keeper.hasBreaker {
		return advised(fn(ctx))
	}
	if a.permit.Lease != 0 {
		fn = e.asProbe(p.key, a.permit, fn)
	}
	returned := false // no recover: the panic goes on, and recover does not see Goexit
	defer func() {
		if !returned {
			e.report(p, a, Failure)
		}
	}()
	err := fn(ctx)
	outcome := Success
	if err != nil {
		outcome = e.judge(ctx, err)
	}
	returned = true
	if outcome != Success || a.permit.Lease != 0 || e.dispatch == Mailbox || !a.cell.Published.content() {
		e.report(p, a, outcome)
	}
	return advised(err)
}

// judge returns the meaning of a call's end for the breaker. If something was called and err is no
// verdict other than Failure, the state of the caller's context counts, and not the look of err.
func (e *Engine) judge(ctx context.Context, err error) Outcome {
	if err == nil {
		return Success
	}
	err, refused := failureIn(err)
	v, self := err.(*Verdict) //nolint:errorlint // only an error that fn itself returned is a verdict
	switch over, deadline := isOver(ctx); {
	case refused:
		return Ignore // nothing was called
	case self && v.Outcome != Failure:
		return v.Outcome // ctx does not matter
	case deadline:
		return Failure // fn did not answer in time
	case over:
		return Ignore
	case self:
		return Failure
	case e.classify == nil:
		return Failure
	default:
		return e.classify(err)
	}
}

// report records an outcome with the actor of the cell that let the call through, or of the cell's
// successor.
func (e *Engine) report(p place, a *admission, outcome Outcome) {
	if !e.keeper.hasBreaker {
		return
	}
	if a.under != nil {
		a.under.free() // the probe reports for both
		return
	}
	c, probe := a.cell, a.permit.Lease != 0
	if outcome == Ignore && !probe {
		return // it would change nothing
	}
	if e.dispatch == Published && outcome == Success && !probe && c.Published.content() {
		return // likewise
	}
	// The next call of this caller finds the outcome recorded. If that call asks the actor, its message
	// comes behind this one. The published part may be read without a message, so a failure, which may
	// change the published part, is waited for.
	awaited := e.dispatch == Published && outcome != Success && !probe
	m := message{kind: report, permit: a.permit, outcome: outcome}
	for {
		var err error
		if awaited {
			err = e.command(c, m, nil)
		} else {
			err = e.system.Send(context.Background(), c, m)
		}
		if !errors.Is(err, actors.ErrRetired) {
			return // recorded; or the engine is closed, and nothing is left to record the outcome in
		}
		// The cell was as new when it retired. If the cell still was in the generation of this call, the
		// call counts as one that the successor let through when it was born; else the result is late.
		p.lost(c)
		if a.permit.Generation != c.Published.generation.Load() && !m.reborn {
			return
		}
		m.reborn = true
		if outcome == Success {
			if _, known := e.system.Find(p.key); !known {
				return
			}
		}
		if c, err = e.find(p); err != nil {
			return // closed, or no room for the key: then there is no breaker to count for
		}
	}
}

// foresee refuses an attempt after delay that the breaker is sure to refuse, or that the limiter does
// not let pass by end, so that no backoff is slept in vain. A breaker that has a probe out is not sure
// of anything.
func (e *Engine) foresee(p place, a admission, delay time.Duration, end int64) error {
	shut := e.keeper.hasBreaker && a.cell.Published.word.Load() < 0 // an open gate means a closed breaker
	if !shut && end == actors.Never {
		return nil
	}
	s, known := e.Inspect(p.key)
	if !known {
		return nil
	}
	var wait time.Duration
	for _, l := range s.Limits {
		wait = max(wait, l.Wait)
	}
	now := e.system.Now()
	if s.Breaker == breaker.Open && s.OpenFor > delay {
		return e.reject(p.key, breaker.ErrOpen, later(now, int64(max(wait, s.OpenFor))))
	}
	if end != actors.Never && later(now, int64(wait)) > end {
		return errLate
	}
	return nil
}

// sleep waits between two attempts. The error is that of ctx if ctx has ended by then, or a *Rejection
// with ErrClosed.
func (e *Engine) sleep(ctx context.Context, p place, d time.Duration) error {
	t := e.clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
	case <-ctx.Done():
	case <-e.closing:
		return e.reject(p.key, ErrClosed, 0)
	}
	return endOf(ctx) // the timer and ctx may have ended together
}
