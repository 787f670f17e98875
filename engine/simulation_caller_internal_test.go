package engine

import (
	"context"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/retry"
)

// phase is what a caller does next, or waits for.
type phase uint8

const (
	resting    phase = iota
	finding          // the cell of its key
	gating           // reads off the gate
	asking           // finds the cell whose actor to ask
	sending          // puts its message
	putting          // waits for room in the mailbox
	awaiting         // the answer
	running          // fn
	reporting        // the outcome, to the cell that let it through
	succeeded        // the cell has retired: finds its successor to report to
	foreseeing       // finds the cell to inspect before it sleeps
	backing          // sleeps between two attempts
	resetting        // finds the cell to reset
	pardoning        // there is none: the sketch forgets what it had of the key
	inspecting       // finds the cell to inspect
	counting         // collects the keys to reset
	parked           // until the end of the scene
	phases
)

// caller is a goroutine that uses the engine, cut into steps: those of Engine.decide, ask, await, report, run and Reset.
type caller struct {
	id    int
	phase phase

	way              way
	key              int
	n                int64
	deadline, cancel int64 // of the context, on the world's clock; Never
	site             *site
	again            bool
	handles          [mostNames]*site

	making  bool // its key's cell, and waits for others to leave
	tries   int
	leavers []leaver

	m        message
	req      *request
	sentBy   phase // that sent m
	answered bool
	answer   answer
	snapshot Snapshot
	expected Snapshot

	under  naiveProbe     // in whose function the call is made
	probe  breaker.Permit // of that probe
	nested bool           // the attempt was let through for that

	permit  breaker.Permit
	period  uint64 // of the naive circuit, when it let the call through
	err     error  // of fn
	paniced bool
	outcome Outcome

	schedule retry.Schedule
	attempts int
	begun    int64
	delay    int64
	stay     int64 // demand.stay of the attempt

	hope        error // what it was refused for; it comes back at the instant that it was told
	hopeAt      int64
	hopeVersion uint64
	seen        uint64 // the version of the account when its call was decided
	decided     int64  // the instant of that
	pending     uint64 // names that are still to be reset
	counted     int    // names that the census has come by
	resetSince  int64  // the event with which ResetAll began; 0 for Reset
	resetKnown  uint64 // names that were known then
}

// demand is what the caller asks for.
func (c *caller) demand() demand { return demand{n: c.n, way: c.way, stay: c.stay} }

// over is when its context ends.
func (c *caller) over() int64 { return min(c.deadline, c.cancel) }

// stays reports whether its context never ends.
func (c *caller) stays() bool { return c.over() == actors.Never }

// The contexts that the engine's judgement needs to see.
var (
	alive     = context.Background()
	cancelled = func() context.Context {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx
	}()
	expired = func() context.Context {
		ctx, cancel := context.WithDeadline(context.Background(), time.Time{})
		cancel()
		return ctx
	}()
)

// context is one in the state of the caller's.
func (w *world) context(c *caller) context.Context {
	switch {
	case w.now < c.over():
		return alive
	case c.cancel <= c.deadline:
		return cancelled
	default:
		return expired
	}
}

// advance is one step of a caller.
func (w *world) advance(c *caller) {
	switch c.phase {
	case resting:
		w.choose(c)
	case finding:
		w.findGate(c)
	case gating:
		w.readGate(c)
	case asking:
		w.locateThen(c, w.ask)
	case sending:
		w.post(c)
	case putting: // its context has ended
		c.site.player.box.withdraw(c.id)
		c.site.player.awaiting &^= 1 << c.id
		w.release(c)
		w.finish(c)
	case awaiting:
		w.await(c)
	case running:
		w.fnReturns(c)
	case reporting:
		w.report(c)
	case succeeded:
		w.locateThen(c, w.reportAgain)
	case foreseeing:
		w.inspect(c, w.sleep)
	case backing:
		if w.closed || w.now >= c.over() || w.reading() > w.lastBegin(c) {
			w.finish(c)
			return
		}
		w.decide(c)
	case resetting:
		w.findToReset(c)
	case pardoning:
		w.pardon(c)
	case inspecting:
		w.inspect(c, w.finish)
	case counting:
		w.count(c)
	}
}

// choose begins something.
func (w *world) choose(c *caller) {
	if w.draining || w.closed && w.oneIn(2) {
		c.phase = parked
		w.block(c.id)
		return
	}
	if c.hope != nil {
		c.attempts = 0
		w.decide(c)
		return
	}
	c.key = w.below(w.names)
	c.deadline, c.cancel = actors.Never, actors.Never
	if !w.patient || w.oneIn(2) {
		at := w.now + w.spread(1, 32*w.tick)
		if w.oneIn(2) {
			c.deadline = at
		} else {
			c.cancel = at
		}
	}
	c.n = 1
	switch what := w.below(1024); {
	case what == 0:
		w.resetAll(c)
	case what < 20:
		c.pending, c.resetSince, c.phase = 0, 0, resetting
	case what < 56:
		c.phase = inspecting
	default:
		c.way = []way{allowing, acquiring, calling, calling}[what%4]
		if c.way != calling {
			c.n = w.tokens()
		} else {
			w.enclose(c)
		}
		c.attempts, c.begun = 0, 0
		w.decide(c)
	}
}

// enclose has c's call made in the function of a probe, now and then.
func (w *world) enclose(c *caller) {
	c.under, c.probe = naiveProbe{}, breaker.Permit{}
	p := &w.people[w.below(w.callers)]
	if p != c && p.phase == running && p.permit.Lease != 0 {
		c.key, c.under, c.probe = p.key, naiveProbe{p.period, p.permit.Lease}, p.permit
	}
}

// tokens is how many a caller asks for.
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

// finish ends what the caller was about.
func (w *world) finish(c *caller) {
	c.phase, c.site, c.hope = resting, nil, nil
	pause := int64(0)
	switch w.below(8) {
	case 0, 1, 2:
	case 3:
		pause = w.spread(1, w.nights)
	default:
		pause = w.spread(1, 16*w.tick)
	}
	if w.draining || w.closed {
		pause = 0
	}
	w.wakeAt(c.id, w.now+pause)
}

// refused ends it with a refusal. Some come back at the very instant that they were told.
func (w *world) refused(c *caller, err error, at int64) {
	now := w.reading()
	w.note(7, c.id, at)
	if w.recovered && err == breaker.ErrOpen {
		w.fail("the breaker of %q is still open after a lease and a recovery in which nothing was called", keyNames[c.key])
	}
	if c.hope == err && at > 0 && c.decided >= c.hopeAt && c.hopeVersion > 0 && c.seen == c.hopeVersion {
		w.fail("caller %d was refused (%v) when it came back at the instant it was told", c.id, err)
	}
	w.finish(c)
	if wait := at - now; at > 0 && wait < w.nights && w.oneIn(3) && !w.closed && !w.draining {
		c.hope, c.hopeAt, c.hopeVersion = err, at, c.seen
		c.deadline, c.cancel = actors.Never, w.now+max(0, wait)+32*w.tick
		w.wakeAt(c.id, w.now+max(0, wait))
	}
}
