package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// drawEnd draws the error of a function, and whether the function panics.
func (p *person) drawEnd() (err error, panics bool) {
	u := p.u
	what := u.below(100)
	if what >= u.failing {
		return nil, false
	}
	switch what % 16 {
	case 0, 1:
		return errSimulated, p.kind == calling
	case 2:
		return errTheirs, false
	case 3:
		return errPermanent, false
	case 4:
		return errAdvised, false
	case 5:
		return &Verdict{Err: errSimulated, Outcome: Ignore}, false
	case 6:
		return &Verdict{Err: errSimulated, Outcome: Failure, Final: true, After: time.Duration(u.tick)}, false
	case 7:
		return &Verdict{Err: errSimulated, Outcome: Success}, false
	case 8:
		return fmt.Errorf("inner engine: %w", errRefused), false
	case 9:
		return &StoppedError{Reason: errRefused, Last: errSimulated}, false
	case 10:
		wish := u.spread(1, 64*u.tick)
		u.wishes[wish] = true
		return &Verdict{Err: errSimulated, Outcome: Failure, OpenFor: time.Duration(wish)}, false
	case 11:
		p.hold = new(Hold)
		return &Verdict{Err: errSimulated, Outcome: []Outcome{Success, Failure}[u.below(2)], Final: true, Keep: p.hold}, false // else a further attempt could wait for the place
	default:
		return errSimulated, false
	}
}

// wished is how long the upstream asked to be left alone with the failure that m reports. At the end of a call
// that was decided once, the cause is the error that the caller gets, and the wish is that of the last attempt.
// If the breaker has changed, an upstream may have been asked by rules that heed no wish.
func (w *world) wished(m *guard.Message) int64 {
	if m.Request == nil || m.Request.OpenFor == 0 && w.recast {
		return 0
	}
	u := w.universe
	if v, ok := m.Request.Cause.(*Verdict); ok {
		return int64(v.OpenFor)
	}
	if m.Request.OpenFor > 0 && !u.wishes[m.Request.OpenFor] {
		u.fail("an upstream asks for %d ns, which none has done", m.Request.OpenFor)
	}
	return m.Request.OpenFor
}

// outcomeOf is the outcome of a function that ends now with err, by the table in docs/design.md.
func (c *caller) outcomeOf(err error, panics bool) Outcome {
	verdict, _ := err.(*Verdict)
	switch {
	case err == nil:
		return Success
	case errors.Is(err, errRefused) && !errors.Is(err, errSimulated):
		return Ignore // nothing was called
	case verdict != nil && verdict.Outcome != Failure:
		return verdict.Outcome
	case panics:
		return Failure
	case c.ctx.err == context.Canceled:
		return Ignore
	case c.ctx.deadline <= c.w.now || c.ctx.err != nil:
		return Failure // too late
	case err == errTheirs && !c.w.strict:
		return Ignore
	default:
		return Failure
	}
}

// ended draws the end of an attempt, and works out what is to be reported.
func (p *person) ended() error {
	err, panics := p.drawEnd()
	for _, c := range p.links {
		c.ended(c.outcomeOf(err, panics))
	}
	p.keeps(err)
	p.decide() // a further attempt, if there is one
	if panics {
		panic(errFn)
	}
	return err
}

// ended works out what is to be reported to one engine.
func (c *caller) ended(outcome Outcome) {
	c.w.note(9, c.id, int64(outcome))
	c.outcome, c.may, c.owes = outcome, false, false
	if c.inShadow { // nobody hears of it
		return
	}
	if c.w.switchedSince(c.ranAt.rules) { // the gate of the key says whether there is a breaker
		c.may, c.success = true, success{counts: outcome == Success}
		return
	}
	if c.w.eng.settings.Load().shared.Breaks() && !(c.answered && c.answer.Under) {
		c.owes = c.outcome == Failure || c.lease != 0
		if c.outcome == Success && c.lease == 0 {
			c.w.checkSuccess(c)
		}
	}
}

// holdsProbe reports whether the caller was let through as a probe, and not under another.
func (c *caller) holdsProbe() bool {
	return c.answered && c.answer.Err == nil && c.answer.Permit.Lease != 0 && !c.answer.Under
}
