package engine

import (
	"math"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// decide begins Engine.decide.
func (w *world) decide(c *caller) {
	c.permit, c.period = breaker.Permit{}, 0
	if c.stay = asLong; c.way == calling && c.attempts > 0 && w.lastBegin(c) != actors.Never {
		c.stay = tighter(asLong, w.lastBegin(c)-w.reading())
	}
	switch {
	case w.closed:
		w.refused(c, ErrClosed, 0)
	case !w.eng.consults[c.way]:
		w.granted(c)
	default:
		c.again = w.eng.dispatch == Published
		w.goOn(c, finding)
	}
}

// lastBegin is the last instant at which a further attempt of c's call may begin.
func (w *world) lastBegin(c *caller) int64 {
	if w.eng.retry == nil || w.eng.retry.MaxElapsed == 0 {
		return actors.Never
	}
	return later(c.begun, int64(w.eng.retry.MaxElapsed))
}

// goOn has c do something in a step of its own.
func (w *world) goOn(c *caller, next phase) {
	c.phase = next
	w.wakeAt(c.id, w.now)
}

// locate finds the cell of c's key, or makes one. Without a cell and an error c waits for others to leave.
func (w *world) locate(c *caller) (s *site, err error) {
	a := &w.keys[c.key]
	if !c.making {
		if s = c.handles[c.key]; s != nil {
			return s, nil
		}
		if s = a.site; s == nil {
			c.making, c.tries, c.leavers = true, 2, c.leavers[:0]
		}
	}
	for c.making {
		for len(c.leavers) > 0 {
			l := c.leavers[0]
			c.leavers = c.leavers[1:]
			if l.site.player == l.player && w.order(l.site, envelope{order: leaveOrder, from: c.id, since: actors.Never, unused: actors.Never}) {
				w.block(c.id)
				return nil, nil
			}
		}
		s, c.leavers, err = w.create(a, keyNames[c.key], c.tries > 0, c.leavers)
		c.tries--
		c.making = len(c.leavers) > 0
	}
	if s != nil && w.handles {
		c.handles[c.key] = s
	}
	return s, err
}

// lost has a handle forget a cell that has been retired.
func (c *caller) lost(s *site) {
	if c.handles[c.key] == s {
		c.handles[c.key] = nil
	}
}

// locateThen goes on with the cell of c's key, when there is one.
func (w *world) locateThen(c *caller, then func(*caller)) {
	s, err := w.locate(c)
	switch {
	case err != nil && c.phase == succeeded:
		w.reported(c)
	case err != nil:
		w.refused(c, err, 0)
	case s != nil:
		c.site = s
		then(c)
	}
}

func (w *world) findGate(c *caller) {
	w.locateThen(c, func(c *caller) { w.goOn(c, gating) })
}

// readGate is what Engine.decide does when it has found a cell. Others may come while pass runs.
func (w *world) readGate(c *caller) {
	s, g, e := c.site, &c.site.gate, w.eng
	a := s.account
	if r := g.standing.Load(); r != nil && c.way == calling && r != unsettled && e.dispatch == Published && e.system.Now() < r.until {
		if a.circuit.state != breaker.Open || a.circuit.until != r.until || s.retired {
			w.fail("the gate refuses until %d, and the breaker is %v until %d", r.until, a.circuit.state, a.circuit.until)
		}
		if at := w.passesBehind(a, nil, r.until, 1, true); len(a.waiting()) == 0 && r.at != at {
			w.fail("the gate says to come back at %d, and breaker and limiter let a call pass at %d", r.at, at)
		}
		c.seen, c.decided = a.version, w.given
		w.refused(c, r.Err, r.at)
		return
	}
	mode := limiter.Mode(c.way != allowing)
	c.seen = a.version
	closed, version, now := a.circuit.state == breaker.Closed, a.version, w.reading()
	o := &w.watches[w.depth]
	*o = watch{account: a, n: c.n, turn: bool(mode), short: w.bucketReady(a, now, c.n, bool(mode)) > now}
	w.watched = append(w.watched, o)
	w.porous = true
	v, generation, at := e.pass(g, c.n, mode)
	w.porous = false
	w.watched = w.watched[:len(w.watched)-1]
	if c.decided = w.given; a.version != version {
		c.seen = 0
	}
	switch {
	case v == admitted:
		w.checkPassed(c, closed, bool(mode))
		c.permit, c.period = breaker.Permit{Generation: generation}, 0
		switch {
		case generation != s.generation:
		case s.retired:
			c.period = s.finalPeriod
		default:
			c.period = a.circuit.period
		}
		w.granted(c)
		return
	case v == limited && !o.short:
		w.fail("caller %d was refused at the gate, and the tokens were there all the time", c.id)
	case v == limited && version == a.version && at != w.bucketReady(a, w.given, c.n, bool(mode)):
		w.fail("caller %d was told %d, and the tokens are there at %d", c.id, at, w.bucketReady(a, w.given, c.n, bool(mode)))
	}
	switch {
	case v == limited && (c.way == allowing || w.maxWait < 0 || c.demand().stay < 0 || at-w.reading() > c.demand().longest(w.maxWait)):
		w.refused(c, limiter.ErrLimited, at)
	case c.again && g.word.Load() == gone:
		c.lost(s)
		c.again = false
		w.goOn(c, finding)
	default:
		w.goOn(c, asking)
	}
}

// ask makes the message for the actor of the cell.
func (w *world) ask(c *caller) {
	r := w.request(c)
	c.m = message{
		kind: ask, n: c.n, mode: c.way != allowing, wait: c.demand().waits(), breaker: c.way == calling && w.k.hasBreaker,
		req: r, answers: r.Answers(), stays: c.stays(), until: actors.Never,
	}
	if c.deadline != actors.Never && c.m.wait {
		c.m.until = w.reading() + max(0, c.deadline-w.now)
	}
	if c.under.lease != 0 && c.way == calling && c.site.gate.standing.Load() != nil {
		c.m.permit = c.probe
	}
	if c.m.wait && c.stay > 0 {
		c.m.until = min(c.m.until, later(later(w.reading(), c.stay), 1))
	}
	w.send(c, asking)
}

// granted begins what the caller was let through for.
func (w *world) granted(c *caller) {
	w.note(8, c.id, c.permit.Lease)
	if c.way != calling {
		w.finish(c)
		return
	}
	c.nested = c.phase == awaiting && c.answer.under
	if w.context(c) != alive || c.attempts > 0 && w.reading() > w.lastBegin(c) { // its function does not begin
		c.err, c.paniced, c.outcome = nil, false, Ignore
		if w.k.hasBreaker && !c.nested {
			w.goOn(c, reporting)
		} else {
			w.finish(c)
		}
		return
	}
	if c.attempts++; c.attempts == 1 {
		c.begun = w.reading()
	}
	c.phase = running
	d := int64(0)
	switch w.below(32) {
	case 0: // it hangs: a probe's lease ends long before
		d = min(w.circuit.lease, int64(time.Hour)) + w.spread(1, 256*w.tick)
	case 1, 2, 3, 4, 5, 6, 7:
	default:
		d = w.spread(1, w.tick)
	}
	w.wakeAt(c.id, w.now+d)
}

// fnReturns ends an attempt.
func (w *world) fnReturns(c *caller) {
	c.err, c.paniced = nil, false
	if what := w.below(100); what < w.failing {
		switch what % 12 {
		case 0, 1:
			c.paniced = true
		case 2:
			c.err = errTheirs
		case 3:
			c.err = errPermanent
		case 4:
			c.err = errAdvised
		default:
			c.err = errSimulated
		}
	}
	switch {
	case !w.k.hasBreaker, c.nested:
		w.reported(c)
		return
	case c.paniced:
		c.outcome = Failure
	default:
		c.outcome = w.eng.judge(w.context(c), c.err)
	}
	w.note(9, c.id, int64(c.outcome))
	w.goOn(c, reporting)
}

// reported follows the record of an outcome: the call has ended, or is tried again.
func (w *world) reported(c *caller) {
	e := w.eng
	if c.err == nil || c.paniced || e.retry == nil || w.context(c) == cancelled {
		w.finish(c)
		return
	}
	if c.attempts == 1 {
		w.calls++
		c.schedule = e.retry.Schedule(w.calls)
	}
	remaining := int64(math.MaxInt64)
	if c.deadline != actors.Never {
		remaining = c.deadline - w.now
	}
	delay, _, again := c.schedule.Next(c.err, time.Duration(w.reading()-c.begun), time.Duration(remaining))
	if !again {
		w.finish(c)
		return
	}
	if delay < 0 || c.attempts >= w.attempts || int64(delay) >= remaining {
		w.fail("attempt %d of %d is to follow after %v, and %v remain", c.attempts+1, w.attempts, delay, time.Duration(remaining))
	}
	c.delay = int64(delay)
	end := w.lastBegin(c)
	if end != actors.Never && later(w.reading(), c.delay) > end {
		w.finish(c)
		return
	}
	if w.k.hasBreaker && c.site.gate.word.Load() < 0 || end != actors.Never {
		w.goOn(c, foreseeing)
		return
	}
	w.sleep(c)
}

// sleep waits between two attempts, unless the caller has just seen a breaker that will still be open then, or a limiter that will let
// nothing pass in time.
func (w *world) sleep(c *caller) {
	if c.phase == awaiting {
		if c.snapshot.Breaker == breaker.Open && int64(c.snapshot.OpenFor) > c.delay {
			w.refused(c, breaker.ErrOpen, 0)
			return
		}
		var wait time.Duration
		for _, l := range c.snapshot.Limits {
			wait = max(wait, l.Wait)
		}
		if end := w.lastBegin(c); end != actors.Never && later(w.reading(), int64(wait)) > end {
			w.finish(c)
			return
		}
	}
	c.phase = backing
	w.wakeAt(c.id, min(w.now+c.delay, c.over()))
}
