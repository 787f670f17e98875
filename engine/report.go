package engine

import (
	"context"
	"errors"
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// nowHolding reads the clock while a call holds the admission a. If the clock panics, a probe's
// place comes back.
func (e *Engine) nowHolding(p *place, a *admission, tokens int64) int64 {
	read := false
	defer func() {
		if !read && a.cell != nil {
			e.giveUp(p, a, tokens)
		}
	}()
	now := e.system.Now()
	read = true
	return now
}

// giveUp ends a call that was admitted as a and is not made. A probe's place and the tokens come
// back; tokens that others have taken on top of stay spent.
func (e *Engine) giveUp(p *place, a *admission, tokens int64) {
	e.report(p, a, Ignore, nil)
	e.giveBack(a, tokens)
	*a = admission{}
}

// giveBack gives back the tokens of a, or counts them as kept spent.
func (e *Engine) giveBack(a *admission, tokens int64) {
	if a.receipt.To == 0 {
		return
	}
	switch ruling := a.cell.Published.GiveBack(a.receipt); ruling {
	case guard.Admitted:
		return
	case guard.Undecided:
		r := e.behavior.Request()
		r.Receipt = a.receipt
		m := guard.Message{Kind: guard.GiveBack, Demand: guard.Demand{Tokens: tokens}, Request: r}
		if e.command(a.cell, &m, func(*guard.Cell) (*guard.Cell, error) { return nil, guard.ErrSpent }) == nil {
			return
		}
	}
	e.counters.KeptSpent.Add(uint64(tokens)) //nolint:gosec // at least 1
}

// giveUpFor is giveUp for a call whose context has ended, and returns the call's error.
func (e *Engine) giveUpFor(ctx context.Context, p *place, a *admission, tokens int64) error {
	e.giveUp(p, a, tokens)
	return e.leftFor(ctx, &plainCall)
}

// judge returns the meaning of a call's end for the breaker. If something was called and err is no
// verdict other than Failure, the state of the caller's context counts, and not the look of err.
func (e *Engine) judge(ctx context.Context, err error) Outcome {
	if err == nil {
		return Success
	}
	err, refused := failureIn(err)
	v, self := err.(*Verdict) //nolint:errorlint // only an error that fn itself returned is a verdict
	switch over, deadline := e.isOver(ctx); {
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
	default:
		if classify := e.settings.Load().config.Classify; classify != nil {
			return classify(err)
		}
		return Failure
	}
}

// reportEnd judges the end of an attempt that was admitted as a, counts the outcome, and reports
// it.
func (e *Engine) reportEnd(ctx context.Context, p *place, a *admission, err error) {
	if a.placed {
		if e.keepOne(err, a); !loses(a, Success, err) {
			defer e.vacate(a) // also if what comes before the report panics
		}
	}
	outcome := Failure // in case Classify panics
	defer func() {
		e.endedAs(a, outcome)
		e.report(p, a, outcome, err)
	}()
	outcome = e.judge(ctx, err)
}

// report records an outcome with the actor of the cell that let the call through, or of the cell's
// successor. cause is the error of a failure, nil after a panic.
func (e *Engine) report(p *place, a *admission, outcome Outcome, cause error) {
	if a.placed && !loses(a, outcome, cause) {
		defer e.vacate(a) // behind the outcome: whoever gets the place finds it counted
	}
	var openFor time.Duration
	if outcome == Failure && cause != nil && a.cell != nil && a.cell.Published.Policy().MayAsk() {
		openFor = wishIn(cause)
	}
	e.recorded(e.record(p, a, outcome, cause, openFor))
}

// record is report without the wait; the result is for [Engine.recorded]. openFor is how long the
// upstream asks to be left alone, if the outcome is a Failure.
func (e *Engine) record(p *place, a *admission, outcome Outcome, cause error, openFor time.Duration) *guard.Request {
	if a.cell == nil || !a.cell.Published.Policy().Breaks() {
		return nil
	}
	if a.under != nil {
		a.under.free() // the probe reports for both
		return nil
	}
	c, probe, slow := a.cell, a.permit.Lease != 0, e.isSlow(a, outcome)
	if outcome == Ignore && !probe {
		return nil // the outcome would change nothing
	}
	g := &c.Published
	// A policy that is stale may have become one by which every success counts.
	if outcome == Success && !probe && !slow &&
		(!g.Reports() && !g.Policy().Stale() || g.Counted(nil, a.permit.Generation, 0)) {
		return nil
	}
	m := guard.Message{Kind: guard.Report, Permit: a.permit, Outcome: outcome, Slow: slow}
	successor := func(retired *guard.Cell) (*guard.Cell, error) { return e.successor(p, a, &m, retired) }
	// The next call of this caller finds the outcome recorded. If that call asks the actor, its
	// message comes behind m. Gate and notice may be read without a message, so the turn of a
	// failure or a slow call, which may change both, is awaited. An error says that the engine is closed, that
	// there is no room for the key, or that the result is late: then there is no breaker to count
	// for.
	if outcome == Failure || slow {
		m.Request = e.behavior.Request()
		m.Request.Cause, m.Request.OpenFor = cause, int64(openFor)
		if e.dispatch == Published && !probe {
			m.Answers = m.Request.Answers()
		}
	}
	r, awaited := m.Request, m.Answers != nil
	if _, err := e.deliver(context.Background(), c, &m, successor); err != nil && r != nil {
		e.behavior.Release(r)
		return nil
	}
	if !awaited {
		return nil // the actor releases the request
	}
	return r
}

// recorded waits until the turn of a report has ended, if it is answered.
func (e *Engine) recorded(r *guard.Request) {
	if r != nil {
		_ = e.answer(r)
		e.behavior.Release(r)
	}
}

var errLateResult = errors.New("engine: a result of an earlier period")

// successor returns the cell that is to count the report m, in place of a retired cell. The retired
// cell was clean. If the retired cell was still in the period in which it let the call through, the
// call counts as a call that the successor let through in its first period; else the result is
// late.
func (e *Engine) successor(p *place, a *admission, m *guard.Message, retired *guard.Cell) (*guard.Cell, error) {
	if a.permit.Generation != retired.Published.Generation() && !m.FromPredecessor {
		return nil, errLateResult
	}
	m.FromPredecessor = true
	if m.Outcome == Success {
		if _, known := e.system.Find(p.key); !known {
			return nil, errLateResult // nothing has failed in the new period
		}
	}
	return e.find(p)
}
