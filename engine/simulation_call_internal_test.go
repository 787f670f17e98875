package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

var (
	errFn      = errors.New("simulated panic of a function")
	errSilent  = errors.New("false")
	errRefused = &Rejection{Key: "inner", Err: limiter.ErrLimited} // of another engine
)

// tokens is how many tokens a caller asks for.
func (w *world) tokens() int64 {
	n := int64(1)
	if w.oneIn(3) {
		n += int64(w.below(8))
	}
	for i := range w.limits {
		n = min(n, w.limits[i].capacity)
	}
	return n
}

// call makes a call of the kind of c.phase.
func (c *caller) call() {
	w := c.w
	p := c.place()
	if c.hope != nil { // it comes back
		c.under = naiveProbe{}
		c.renew(math.MaxInt64, w.now+32*w.tick)
		c.phase = c.comesBackAs()
	}
	c.account = &w.keys[c.key]
	c.mode = limiter.Mode(c.phase != allowing)
	c.asks = c.phase == calling || c.phase == admitting
	c.attempts, c.began = 0, 0
	c.kind = c.phase
	c.decide()
	var err error
	switch k := c.handle(p); c.kind {
	case allowing:
		if w.oneIn(8) {
			if !k.AllowN(int(c.n)) {
				err = errSilent
			}
			break
		}
		d := guard.Demand{Tokens: c.n, Stay: guard.NoStay, Mode: limiter.Immediate}
		err = w.eng.decide(context.Background(), p, &d, new(admission))
	case acquiring:
		err = k.AcquireN(c.ctx, int(c.n))
	case admitting:
		err = c.admit(k)
	default:
		err = c.run(k)
	}
	w.settleGate()
	c.over(err)
}

// decide begins to watch an attempt.
func (c *caller) decide() {
	w, a := c.w, c.account
	c.deciding, c.passed, c.answered, c.pending = true, false, false, false
	c.seen, c.decided = a.version, 0
	c.wasShort, c.wasClosed, c.wasOpen = false, false, 0
	w.watch(c, w.reading())
}

// handle is the Key of a call: some calls do not wait, and some not for long.
func (c *caller) handle(p *place) Key {
	k := Key{eng: c.w.eng, place: *p}
	switch c.w.below(16) {
	case 0:
		k = k.NoWait()
	case 1, 2:
		k = k.Within(time.Duration(c.w.spread(1, 16*c.w.tick)))
	}
	c.stay = k.stay
	return k
}

// run is a call with a function.
func (c *caller) run(k Key) (err error) {
	defer func() {
		if reason := recover(); reason != nil && reason != errFn {
			panic(reason)
		}
	}()
	if c.stay == guard.AsLong && !c.w.handles {
		return c.w.eng.Run(c.ctx, k.key, c.fn)
	}
	_, err = DoKey(c.ctx, k, func(ctx context.Context) (struct{}, error) { return struct{}{}, c.fn(ctx) })
	return err
}

// admit is a call with a ticket.
func (c *caller) admit(k Key) error {
	t, err := k.Admit(c.ctx)
	if err != nil {
		return err
	}
	ended := c.fn(c.ctx)
	c.phase = admitting
	t.Done(ended)
	return nil
}

// fn is the function of a call.
func (c *caller) fn(ctx context.Context) error {
	w := c.w
	w.settleGate()
	c.begun()
	if p, ok := ctx.Value(probeOf{w.eng}).(*probe); ok && c.lease != 0 && p.permit.Lease != c.lease {
		w.fail("caller %d runs as the probe %v, and was let through until %d", c.id, p.permit, c.lease)
	}
	c.phase, c.fnCtx = inFn, ctx
	switch what := w.below(32); {
	case w.draining:
	case what == 0: // it hangs: a probe's lease ends long before
		c.sleep(min(w.circuit.lease, int64(time.Hour)) + w.spread(1, 256*w.tick))
	case what > 7:
		c.sleep(w.spread(1, w.tick))
	}
	c.phase, c.fnCtx = calling, nil
	err := c.ended()
	c.lease = 0
	return err
}

// begun checks that the attempt may begin.
func (c *caller) begun() {
	w := c.w
	if !c.deciding {
		w.fail("caller %d begins an attempt that was not decided", c.id)
	}
	if w.eng.policy.Concerns(&guard.Demand{Breaker: true}) && !c.passed {
		w.checkAdmitted(c)
	}
	c.deciding = false
	c.attempts++
	if c.attempts > 1 && c.attempts > w.attempts {
		w.fail("attempt %d of %d", c.attempts, w.attempts)
	}
	if longest := w.eng.maxElapsed; longest > 0 {
		switch {
		case c.attempts == 1:
			c.began = c.given
		case c.given > guard.Later(c.began, longest):
			w.fail("an attempt begins at %d, the first did at %d, and MaxElapsed is %d", c.given, c.began, longest)
		}
	}
	if c.ctx.err != nil {
		w.fail("an attempt begins, and its context has ended")
	}
	c.lease, c.period = 0, 0
	if !c.answered && !c.passed {
		c.cell = nil // without a limit, a cell that has just been retired lets calls pass, too
	}
	if c.answered {
		c.lease = c.answer.Permit.Lease
		c.period = w.periodOf[c.answer.Permit.Generation]
		if c.answer.Under {
			c.lease, c.period = c.under.lease, c.under.period
		}
	}
}

// drawEnd draws the error of a function, and whether the function panics.
func (c *caller) drawEnd() (err error, panics bool) {
	w := c.w
	what := w.below(100)
	if what >= w.failing {
		return nil, false
	}
	switch what % 16 {
	case 0, 1:
		return errSimulated, c.kind == calling
	case 2:
		return errTheirs, false
	case 3:
		return errPermanent, false
	case 4:
		return errAdvised, false
	case 5:
		return &Verdict{Err: errSimulated, Outcome: Ignore}, false
	case 6:
		return &Verdict{Err: errSimulated, Outcome: Failure, Final: true, After: time.Duration(w.tick)}, false
	case 7:
		return &Verdict{Err: errSimulated, Outcome: Success}, false
	case 8:
		return fmt.Errorf("inner engine: %w", errRefused), false
	case 9:
		return &StoppedError{Reason: errRefused, Last: errSimulated}, false
	default:
		return errSimulated, false
	}
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
	case err == errTheirs:
		return Ignore
	default:
		return Failure
	}
}

// ended draws the end of an attempt, and works out what is to be reported.
func (c *caller) ended() error {
	w := c.w
	err, panics := c.drawEnd()
	c.outcome, c.may, c.owes = c.outcomeOf(err, panics), false, false
	w.note(9, c.id, int64(c.outcome))
	if w.eng.policy.Breaks() && !(c.answered && c.answer.Under) {
		c.owes = c.outcome == Failure || c.lease != 0
		if c.outcome == Success && c.lease == 0 {
			w.checkSuccess(c)
		}
	}
	c.decide() // a further attempt, if there is one
	if panics {
		panic(errFn)
	}
	return err
}

// holdsProbe reports whether the caller was let through as a probe, and not under another.
func (c *caller) holdsProbe() bool {
	return c.answered && c.answer.Err == nil && c.answer.Permit.Lease != 0 && !c.answer.Under
}
