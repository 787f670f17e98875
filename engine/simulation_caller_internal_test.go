package engine

import (
	"context"
	"errors"
	"iter"
	"math"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// phase is what a caller is about, for the trace.
type phase uint8

const (
	resting phase = iota
	calling
	inFn
	admitting
	allowing
	acquiring
	inspecting
	resetting
	closing
	parked     // until the end of the scene
	mostPhases = iota
)

// caller is a goroutine that uses the engine, as a coroutine.
type caller struct {
	runner
	w     *world
	id    int
	phase phase
	kind  phase // of the call
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool

	due   int64       // it goes on then; see world.timed
	until func() bool // it goes on if true; see world.waiting

	ctx  *simContext
	ends int64 // the context's Done is closed then; see world.ending

	key     int
	account *account
	n       int64
	stay    int64 // guard.Demand.Stay of the call
	mode    limiter.Mode
	asks    bool // the breaker, too
	handles [mostNames]*place

	// An attempt is under way, from its beginning until its function begins or the call ends.
	deciding bool
	passed   bool // a token was taken at the gate
	answered bool // the actor has answered
	answer   guard.Answer
	told     bool // the actor has answered a message, with toldErr
	toldErr  error
	req      *guard.Request
	pending  bool // req has been sent and not been answered
	message  guard.Message

	// What the naive models said since the attempt began.
	wasShort, wasClosed bool
	wasOpen             int64  // until when the breaker was open
	seen                uint64 // the version of the account when the attempt was decided
	decided             int64  // the instant of that

	under   naiveProbe // in whose function the call is made
	fnCtx   context.Context
	period  uint64 // of the probe that runs now
	lease   int64  // of the probe that runs now; 0: none
	outcome Outcome
	owes    bool  // the outcome has to be reported
	may     bool  // the outcome may be reported
	cell    *site // that admitted the attempt
	debit   debit // of the attempt

	attempts int
	began    int64 // the reading before the first attempt

	expected guard.Snapshot

	hope        error // what it was refused for; it comes back at the instant that it was told
	hopeAt      int64
	hopeVersion uint64
}

func newCaller(w *world, id int) *caller {
	c := &caller{w: w, id: id}
	c.runner.caller = c
	c.next, c.stop = iter.Pull(func(yield func(struct{}) bool) {
		c.yield = yield
		for yield(struct{}{}) {
			c.live()
		}
	})
	c.next()
	return c
}

// begin makes the caller ready for a scene.
func (c *caller) begin() {
	c.phase, c.hope, c.handles, c.lease, c.owes, c.pending, c.deciding = resting, nil, [mostNames]*place{}, 0, false, false, false
	c.given, c.busy, c.req, c.may, c.account, c.answered = 0, false, nil, false, nil, false
}

// goOn resumes the coroutine.
func (c *caller) goOn() { c.next() }

// pause suspends the coroutine until the world lets it go on.
func (c *caller) pause() {
	c.w.settleGate()
	c.yield(struct{}{})
}

// sleep suspends the coroutine for d.
func (c *caller) sleep(d int64) {
	c.w.wakeAt(c.id, c.w.now+d)
	if d > 0 {
		c.pause()
	}
}

// live is what the caller does when it goes on after a rest.
func (c *caller) live() {
	w := c.w
	switch {
	case c.phase == closing:
		c.shut()
		return
	case c.hope != nil:
		c.call()
		c.rest()
		return
	case w.draining || w.closed && w.oneIn(2):
		c.phase = parked
		w.ready &^= 1 << c.id
		w.timed &^= 1 << c.id
		return
	}
	c.key = w.below(w.names)
	deadline, cancel := int64(math.MaxInt64), int64(math.MaxInt64)
	if !w.patient || w.oneIn(2) {
		if at := w.now + w.spread(1, 32*w.tick); w.oneIn(2) {
			deadline = at
		} else {
			cancel = at
		}
	}
	c.under = naiveProbe{}
	c.renew(deadline, cancel)
	switch what := w.below(1024); {
	case what == 0 && w.resets:
		c.resetAll()
	case what < 20:
		c.reset(c.key)
	case what < 56:
		c.inspect()
	default:
		c.phase = []phase{allowing, acquiring, calling, calling}[what%4]
		if c.phase == calling && what%32 == 3 {
			c.phase = admitting
		}
		if c.phase == calling {
			c.enclose()
		}
		c.n = 1
		if c.phase == allowing || c.phase == acquiring {
			c.n = w.tokens()
		}
		c.call()
	}
	c.rest()
}

// enclose has c's call made in the function of a probe, now and then.
func (c *caller) enclose() {
	w := c.w
	p := w.people[w.below(w.callers)]
	if p != c && p.phase == inFn && p.lease != 0 {
		c.key, c.ctx.within, c.under = p.key, p.fnCtx, naiveProbe{p.period, p.lease}
	}
}

// rest ends what the caller was about.
func (c *caller) rest() {
	w := c.w
	if c.owes {
		w.fail("caller %d has not reported that its call ended with %v", c.id, c.outcome)
	}
	c.phase, c.deciding, c.pending = resting, false, false
	w.ending &^= 1 << c.id
	pause := int64(0)
	switch {
	case w.draining || w.closed:
	case c.hope != nil:
		pause = max(0, c.hopeAt-w.reading())
	default:
		switch w.below(8) {
		case 0, 1, 2:
		case 3:
			pause = w.spread(1, w.nights)
		default:
			pause = w.spread(1, 16*w.tick)
		}
	}
	w.wakeAt(c.id, w.now+pause)
}

// place is the way to the key's cell: by name, or by a handle of the caller's own.
func (c *caller) place() *place {
	if !c.w.handles {
		return &place{key: keyNames[c.key]}
	}
	if c.handles[c.key] == nil {
		k := c.w.eng.Key(keyNames[c.key])
		c.handles[c.key] = &k.place
	}
	return c.handles[c.key]
}

// comesBackAs is the kind of call that was refused.
func (c *caller) comesBackAs() phase {
	switch {
	case c.asks:
		return calling
	case c.mode == limiter.Immediate:
		return allowing
	default:
		return acquiring
	}
}

// over is the end of a call.
func (c *caller) over(err error) {
	w, kind := c.w, c.kind
	hoped := c.hope
	c.hope = nil
	if c.deciding && c.asks && c.holdsProbe() && !w.closed {
		w.fail("caller %d was let through as a probe, has not made it, and has not said so", c.id)
	}
	var r *Rejection
	var stopped *StoppedError
	if errors.As(err, &stopped) {
		err = stopped.Reason
	}
	if err == limiter.ErrLimited {
		r = &Rejection{Err: err}
	} else if rejection, ok := err.(*Rejection); ok {
		r = rejection
	}
	if r == nil || r == errRefused || w.closed {
		if err == nil && kind != calling && kind != admitting && !c.passed && !w.closed && len(w.limits) > 0 {
			w.checkAdmitted(c)
		}
		return
	}
	w.note(7, c.id, r.at)
	if !c.answered {
		w.checkRefused(c, r)
	}
	if w.recovered && errors.Is(r.Err, breaker.ErrOpen) {
		w.fail("the breaker of %q is still open after a lease and a recovery in which nothing was called", keyNames[c.key])
	}
	if hoped != nil && errors.Is(r.Err, hoped) && r.at > 0 && c.decided >= c.hopeAt && c.hopeVersion > 0 && c.seen == c.hopeVersion && c.attempts == 0 {
		w.fail("caller %d was refused (%v) when it came back at the instant it was told", c.id, r.Err)
	}
	now := w.reading()
	if wait := r.at - now; r.at > 0 && wait < w.nights && w.oneIn(3) && !w.draining {
		c.hope, c.hopeAt, c.hopeVersion = r.Err, r.at, c.seen
	}
}
