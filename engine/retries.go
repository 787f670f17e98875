package engine

import (
	"context"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/retry"
)

// rerun makes the attempts after the first, which was admitted as a, began at the instant began, and
// ended with err.
func (e *Engine) rerun(
	ctx context.Context, p *place, stay int64, fn func(context.Context) error, a *admission, err error, began int64,
) error {
	var schedule retry.Schedule
	end := e.lastBegin(began)
	for attempts := 1; ; attempts++ {
		if e.retry == nil || isRejection(err) {
			return retry.Strip(err)
		}
		left, gone := e.remaining(ctx)
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
		if stay, err = e.another(ctx, p, stay, a, delay, end); err != nil {
			if isLate(err, end) {
				return e.exhausted(ctx, attempts, last)
			}
			return &StoppedError{Reason: err, Last: last}
		}
		if err = e.attempt(ctx, p, a, fn); err == nil {
			return nil
		}
	}
}

// exhausted is the error of a call that has no attempts left, or no time.
func (e *Engine) exhausted(ctx context.Context, attempts int, last error) error {
	return &retry.ExhaustedError{Attempts: attempts, Err: last, Reason: e.endOf(ctx)}
}

// lastBegin is the last instant at which an attempt may begin by MaxElapsed, if the first attempt began
// at began.
func (e *Engine) lastBegin(began int64) int64 {
	if e.maxElapsed == 0 {
		return guard.Never
	}
	return guard.Later(began, e.maxElapsed)
}

// inTime reports whether an attempt after delay begins by end and before the deadline of ctx.
func (e *Engine) inTime(ctx context.Context, delay time.Duration, end int64) bool {
	left, gone := e.remaining(ctx)
	return !gone && delay < left && (end == guard.Never || guard.Later(e.system.Now(), int64(delay)) <= end)
}

// another waits delay and has a further attempt decided; a is the admission of the last attempt and
// then that of the next. If the error is nil, the attempt is to begin. An attempt that cannot begin by
// end is refused as early as that is known. another returns the rest of stay.
func (e *Engine) another(
	ctx context.Context, p *place, stay int64, a *admission, delay time.Duration, end int64,
) (rest int64, err error) {
	if err := e.sureToBeRefused(p, a, delay, end); err != nil {
		return stay, err
	}
	if err := e.sleep(ctx, p, delay); err != nil {
		return stay, err
	}
	if end != guard.Never && e.system.Now() > end {
		return stay, errLate // the timer was late
	}
	*a = admission{}
	stay, err = e.begin(ctx, p, stay, end, a)
	if err == nil && end != guard.Never && e.nowHolding(p, a) > end {
		e.giveUp(p, a) // the queue was late
		err = errLate
	}
	if err == nil && ctx.Err() != nil {
		err = e.giveUpFor(ctx, p, a)
	}
	return stay, err
}

// begin decides about one attempt of a call that may stay in the queue for stay. If the error is nil,
// the attempt is admitted as a, and ctx may have ended meanwhile. An attempt that could not begin by the
// instant end is refused at once. begin returns the rest of stay for further attempts.
func (e *Engine) begin(ctx context.Context, p *place, stay, end int64, a *admission) (rest int64, err error) {
	d := callFor(stay)
	var since int64
	if stay > 0 || end != guard.Never {
		since = e.system.Now()
		d.Stay = guard.Tighter(stay, end-since)
	}
	err = e.decide(ctx, p, &d, a)
	if stay > 0 {
		stay = guard.Tighter(stay, stay-(e.nowHolding(p, a)-since))
	}
	return stay, err
}

// sureToBeRefused refuses an attempt after delay that the breaker is sure to refuse, or that the limiter
// does not let pass by end, so that no backoff is slept in vain. A breaker that has a probe out may let
// the attempt pass.
func (e *Engine) sureToBeRefused(p *place, a *admission, delay time.Duration, end int64) error {
	may := e.policy.Breaks() && !a.cell.Published.Shared() // whether the breaker may be open
	if !may && end == guard.Never {
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
		return e.refuse(p.key, breaker.ErrOpen, guard.Later(now, int64(max(wait, s.OpenFor))))
	}
	if end != guard.Never && guard.Later(now, int64(wait)) > end {
		return errLate
	}
	return nil
}

// sleep waits between two attempts. The error is that of ctx if ctx has ended by then, or a *Rejection
// with ErrClosed.
func (e *Engine) sleep(ctx context.Context, p *place, d time.Duration) error {
	t := e.clock.NewTimer(d)
	defer t.Stop()
	if e.driver != nil {
		e.driver.Wait(func() bool { return len(t.C()) > 0 || closed(ctx.Done()) || e.ended.Load() })
	}
	select {
	case <-t.C():
	case <-ctx.Done():
	case <-e.closing:
	}
	if e.ended.Load() { // the timer, ctx and the engine may have ended together
		return e.refuse(p.key, ErrClosed, 0)
	}
	return e.endOf(ctx)
}
