package engine

import (
	"context"
	"slices"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/retry"
)

// rerun makes the attempts after the first, by the policy that st of e has. The first attempt began at the
// instant began and ended with err.
func (c *call) rerun(
	ctx context.Context, e *Engine, st *settings, stay int64, fn func(context.Context) error, err error, began int64,
) error {
	var schedule retry.Schedule
	if began == 0 && st.maxElapsed > 0 { // there was no bound when the call began
		began = e.system.Now()
	}
	end, caller := st.lastBegin(began), ctx
	defer c.limits.bound(&ctx)()
	defer c.limits.leave()
	for attempts := 1; ; attempts++ {
		if isRejection(err) {
			return retry.Strip(err)
		}
		left, gone := e.remaining(ctx)
		if gone {
			return retry.Strip(err)
		}
		if attempts == 1 {
			schedule = st.retry.Schedule(e.retried.Add(1))
		}
		c.limits.leave()
		ended := e.system.Now()
		delay, final, again := schedule.Next(err, time.Duration(ended-began), left)
		last := retry.Strip(err)
		switch exhausted, _ := final.(*retry.ExhaustedError); { //nolint:errorlint // made by Next, or fn's own
		case !again && exhausted != nil && exhausted.Attempts == attempts:
			return e.exhausted(ctx, attempts, last)
		case !again:
			return final
		case !e.inTime(ctx, delay, end): // RetryIf took its time
			return e.exhausted(ctx, attempts, last)
		}
		var in context.Context
		a := &Attempt{Number: attempts + 1, Last: last}
		if in, stay, err = c.another(ctx, caller, e, stay, delay, end); err != nil {
			if e.isLate(err, end) {
				return e.exhausted(ctx, attempts, last)
			}
			_ = told(ctx, err)
			return &StoppedError{Reason: err, Last: last}
		}
		e.counters.Retries.Add(1)
		c.admitted()
		a.Waited = time.Duration(c.begun - ended)
		if err = c.attempt(in, fn, a); err == nil {
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
func (st *settings) lastBegin(began int64) int64 {
	if st.maxElapsed == 0 {
		return guard.Never
	}
	return guard.Later(began, st.maxElapsed)
}

// inTime reports whether an attempt after delay begins by end and before the deadline of ctx.
func (e *Engine) inTime(ctx context.Context, delay time.Duration, end int64) bool {
	left, gone := e.remaining(ctx)
	return !gone && delay < left && (end == guard.Never || guard.Later(e.system.Now(), int64(delay)) <= end)
}

// another waits delay and has a further attempt of the call decided. If the error is nil, the attempt is
// to begin. An attempt that cannot begin by end, an instant of e, is refused as early as that is known.
// another returns the context of the attempt, which is made of the caller's, and the rest of stay.
func (c *call) another(
	ctx, caller context.Context, e *Engine, stay int64, delay time.Duration, end int64,
) (in context.Context, rest int64, err error) {
	if err := c.sureToBeRefused(e, delay, end); err != nil {
		if isRejection(err) {
			_ = e.refused(err)
		}
		return ctx, stay, err
	}
	if err := c.sleep(ctx, e, delay); err != nil {
		return ctx, stay, err
	}
	if end != guard.Never && e.system.Now() > end {
		return ctx, stay, errLate // the timer was late
	}
	in = c.limits.enter(caller)
	left := int64(guard.Never)
	if end != guard.Never {
		left = end - e.system.Now()
	}
	if stay, err = c.begin(in, stay, left); err != nil {
		return in, stay, err
	}
	c.timed()
	c.begun = c.now(e)
	switch {
	case c.begun > end:
		c.giveUp() // the queue was late
		err = e.refused(errLate)
	case in.Err() != nil:
		err = e.refused(c.giveUpFor(in))
	}
	return in, stay, err
}

// begin decides about one attempt of a call that may stay in the queue for stay. If the error is nil,
// the attempt is admitted as a, and ctx may have ended meanwhile. An attempt that could not begin within
// left is refused at once. begin returns the rest of stay for further attempts.
func (e *Engine) begin(ctx context.Context, p *place, tokens, stay, left int64, a *admission) (rest int64, err error) {
	d := callFor(stay)
	d.Tokens, d.Details = tokens, a.detailed
	var since int64
	if stay > 0 || left != guard.Never {
		since = e.system.Now()
		d.Stay = guard.Tighter(stay, left)
	}
	err = e.decide(ctx, p, &d, a)
	if stay > 0 {
		stay = guard.Tighter(stay, stay-(e.nowHolding(p, a, tokens)-since))
	}
	return stay, err
}

// sureToBeRefused refuses an attempt after delay that a breaker is sure to refuse, or that a limiter
// does not let pass by end, an instant of e, so that no backoff is slept in vain. A breaker that has a
// probe out may let the attempt pass.
func (c *call) sureToBeRefused(e *Engine, delay time.Duration, end int64) error {
	if l := endedLink(c.links); l != nil {
		return l.eng.refuse(l.key, ErrClosed, 0)
	}
	for i := range c.links {
		l := &c.links[i]
		if !c.decides(i) {
			continue
		}
		left := int64(guard.Never)
		if end != guard.Never {
			left = end - e.system.Now()
		}
		err := l.eng.sureToBeRefused(&l.place, &c.got[i].admission, delay, left)
		if r, ok := err.(*Rejection); ok && len(c.links) > 1 { //nolint:errorlint // made just now
			w := callFor(guard.NoStay)
			if after, ok := c.earliest(&w); ok {
				return l.eng.refuse(l.key, r.reason(), guard.Later(l.eng.system.Now(), after))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sureToBeRefused is that of a call for one key; the attempt must begin within left.
func (e *Engine) sureToBeRefused(p *place, a *admission, delay time.Duration, left int64) error {
	may := a.cell != nil && e.breaks(a.cell) && !a.cell.Published.Shared() // whether the breaker may be open
	if e.settings.Load().shadow || !may && left == guard.Never {
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
	if s.Breaker == breaker.Open && s.OpenFor > delay {
		reason := breaker.ErrOpen
		if s.Forced {
			reason = guard.ErrForced
		}
		return e.refuse(p.key, reason, guard.Later(e.system.Now(), int64(max(wait, s.OpenFor))))
	}
	if int64(wait) > left {
		return errLate
	}
	return nil
}

// sleep waits between two attempts, on the clock of e. The error is that of ctx if ctx has ended by then,
// or a *Rejection with ErrClosed.
func (c *call) sleep(ctx context.Context, e *Engine, d time.Duration) error {
	t := e.clock.NewTimer(d)
	defer t.Stop()
	if e.driver != nil {
		links := slices.Clone(c.links) // as in await
		e.driver.Wait(func() bool { return len(t.C()) > 0 || closed(ctx.Done()) || endedLink(links) != nil })
	}
	if len(c.links) == 1 {
		select {
		case <-t.C():
		case <-ctx.Done():
		case <-e.closing:
		}
	} else {
		receive(t.C(), ctx.Done(), c.links)
	}
	if l := endedLink(c.links); l != nil { // the timer, ctx and the engine may have ended together
		return l.eng.refuse(l.key, ErrClosed, 0)
	}
	return e.endOf(ctx)
}
