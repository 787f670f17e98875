package engine

import (
	"errors"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// caller is what a person has to do with one engine: its account of one link of the call.
type caller struct {
	*person
	w *world

	key     int
	account *account
	n       int64
	handles [mostNames]*place

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

	under   naiveProbe // in whose function the call is made
	period  uint64     // of the probe that runs now
	lease   int64      // of the probe that runs now; 0: none
	outcome Outcome
	owes    bool  // the outcome has to be reported
	may     bool  // the outcome may be reported
	cell    *site // that admitted the attempt
	debit   debit // of the attempt

	expected guard.Snapshot

	hopeVersion uint64
}

// begin makes the caller ready for a scene.
func (c *caller) begin() {
	c.handles, c.lease, c.owes, c.pending = [mostNames]*place{}, 0, false, false
	c.req, c.may, c.account, c.answered = nil, false, nil, false
}

// rest ends what the caller was about.
func (c *caller) rest() {
	if c.owes {
		c.w.fail("caller %d has not reported that its call ended with %v", c.id, c.outcome)
	}
	c.pending = false
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

// over is the end of a call.
func (p *person) over(err error) {
	w, c, kind := p.links[0].w, p.links[0], p.kind
	hoped := p.hope
	p.hope = nil
	if p.deciding && p.asks && c.holdsProbe() && !w.closed {
		w.fail("caller %d was let through as a probe, has not made it, and has not said so", p.id)
	}
	r := rejectionIn(err)
	if r == nil || r == errRefused || w.closed {
		if err == nil && kind != calling && kind != admitting && !c.passed && !w.closed && len(w.limits) > 0 {
			w.checkAdmitted(c)
		}
		return
	}
	w.note(7, p.id, r.at)
	if !c.answered {
		w.checkRefused(c, r)
	}
	if w.recovered && errors.Is(r.Err, breaker.ErrOpen) {
		w.fail("the breaker of %q is still open after a lease and a recovery in which nothing was called", keyNames[c.key])
	}
	if hoped != nil && errors.Is(r.Err, hoped) && r.at > 0 && p.decided >= p.hopeAt && c.hopeVersion > 0 && c.seen == c.hopeVersion && p.attempts == 0 {
		w.fail("caller %d was refused (%v) when it came back at the instant it was told", p.id, r.Err)
	}
	now := w.reading()
	if wait := r.at - now; r.at > 0 && wait < w.nights && w.oneIn(3) && !w.draining {
		p.hope, p.hopeAt, c.hopeVersion = r.Err, r.at, c.seen
	}
}

// rejectionIn returns the refusal that a call ended with, or nil.
func rejectionIn(err error) *Rejection {
	var stopped *StoppedError
	if errors.As(err, &stopped) {
		err = stopped.Reason
	}
	if err == limiter.ErrLimited {
		return &Rejection{Err: err}
	}
	r, _ := err.(*Rejection)
	return r
}
