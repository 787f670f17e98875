package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

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

	attempts int
	began    int64 // the reading before the first attempt
	retried  bool

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

// simContext is the context of a call.
type simContext struct {
	c        *caller
	deadline int64
	cancel   int64
	done     chan struct{}   // nil if the context never ends
	within   context.Context // of the probe's function in which the call is made; or nil
	err      error
}

func (x *simContext) Deadline() (time.Time, bool) {
	if x.deadline == math.MaxInt64 {
		return time.Time{}, false
	}
	return simEpoch.Add(time.Duration(x.deadline)), true
}

func (x *simContext) Done() <-chan struct{} { return x.done }

func (x *simContext) Err() error { return x.err }

// Value has the context be one of those that the function of a probe was given.
func (x *simContext) Value(key any) any {
	if x.within == nil {
		return nil
	}
	return x.within.Value(key)
}

// over is the instant at which the context ends, if its timer is in time.
func (x *simContext) over() int64 { return min(x.deadline, x.cancel) }

// renew gives the caller a new context.
func (c *caller) renew(deadline, cancel int64) {
	w := c.w
	var unused chan struct{}
	if c.ctx != nil && c.ctx.err == nil {
		unused = c.ctx.done
	}
	x := &simContext{c: c, deadline: deadline, cancel: cancel}
	c.ctx = x
	w.ending &^= 1 << c.id
	if x.over() == math.MaxInt64 {
		return
	}
	if x.done = unused; unused == nil {
		x.done = make(chan struct{})
	}
	c.ends = x.over()
	if cancel > deadline && w.oneIn(8) { // the timer of a deadline is late
		c.ends += w.spread(1, w.tick)
	}
	w.ending |= 1 << c.id
	w.soonest = min(w.soonest, c.ends)
}

// expire ends the context.
func (c *caller) expire() {
	x := c.ctx
	if x == nil || x.err != nil || x.done == nil {
		return
	}
	x.err = context.DeadlineExceeded
	if x.cancel <= x.deadline {
		x.err = context.Canceled
	}
	close(x.done)
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

var (
	errFn      = errors.New("simulated panic of a function")
	errSilent  = errors.New("false")
	errRefused = &Rejection{Key: "inner", Err: limiter.ErrLimited} // of another engine
)

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
	if max := w.eng.maxElapsed; max > 0 {
		switch {
		case c.attempts == 1:
			c.began = c.given
		case c.given > guard.Later(c.began, max):
			w.fail("an attempt begins at %d, the first did at %d, and MaxElapsed is %d", c.given, c.began, max)
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

// ended draws the end of an attempt, and works out the outcome that is to be reported.
func (c *caller) ended() (err error) {
	w := c.w
	panics := false
	if what := w.below(100); what < w.failing {
		switch what % 16 {
		case 0, 1:
			panics, err = c.kind == calling, errSimulated
		case 2:
			err = errTheirs
		case 3:
			err = errPermanent
		case 4:
			err = errAdvised
		case 5:
			err = &Verdict{Err: errSimulated, Outcome: Ignore}
		case 6:
			err = &Verdict{Err: errSimulated, Outcome: Failure, Final: true, After: time.Duration(w.tick)}
		case 7:
			err = &Verdict{Err: errSimulated, Outcome: Success}
		case 8:
			err = fmt.Errorf("inner engine: %w", errRefused)
		case 9:
			err = &StoppedError{Reason: errRefused, Last: errSimulated}
		default:
			err = errSimulated
		}
	}
	late := c.ctx.deadline <= w.now || c.ctx.err == context.DeadlineExceeded
	verdict, _ := err.(*Verdict) //nolint:errorlint // only the very error is a verdict
	switch {
	case err == nil:
		c.outcome = Success
	case errors.Is(err, errRefused) && !errors.Is(err, errSimulated):
		c.outcome = Ignore // nothing was called
	case verdict != nil && verdict.Outcome != Failure:
		c.outcome = verdict.Outcome
	case panics:
		c.outcome = Failure
	case c.ctx.err == context.Canceled:
		c.outcome = Ignore
	case late:
		c.outcome = Failure
	case err == errTheirs:
		c.outcome = Ignore
	default:
		c.outcome = Failure
	}
	w.note(9, c.id, int64(c.outcome))
	under := c.answered && c.answer.Under
	c.may = false
	c.owes = w.eng.policy.Breaks() && !under && (c.outcome == Failure || c.lease != 0)
	if w.eng.policy.Breaks() && !under && c.outcome == Success && c.lease == 0 {
		w.checkSuccess(c)
	}
	c.retried = true
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
	if err == limiter.ErrLimited { //nolint:errorlint // Allow gets no more
		r = &Rejection{Err: err}
	} else if rejection, ok := err.(*Rejection); ok { //nolint:errorlint // it is the very error
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
