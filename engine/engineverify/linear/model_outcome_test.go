package linear_test

import (
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// admit gives a ticket, and reports whether there is one left.
func (r *rules) admit(s *state, o *operation) bool {
	t := ticket{serial: o.serial, current: !s.forced.on}
	if s.circuit.state == breaker.Open {
		s.period()
		s.circuit = circuit{state: breaker.HalfOpen, last: s.circuit.last, trips: s.circuit.trips}
	}
	if s.circuit.state == breaker.HalfOpen {
		t.lease = int16(s.now + r.breaker.lease)
	}
	if r.breaker.slowRate > 0 {
		t.began, t.ceil = int16(s.now), int16(max(s.now, o.ceil))
		if o.kind != leave && r.free(s) { // at the gate, by a reading of the clock that came first
			t.began = int16(min(s.now, o.floor))
		}
	}
	if t.current && s.circuit.state == breaker.Closed {
		r.begin(s, o)
	}
	return s.tickets.push(t)
}

// report is the end of a call. Its outcome is counted now if the caller waits for that, or if it
// counts for nothing, and else on its way.
func (r *rules) report(s *state, o *operation, d doubt) bool {
	t := s.tickets.of(o.serial)
	if t == nil || t.sent {
		return false
	}
	t.outcome = o.outcome
	if !r.times(s, t, d) || !r.atOnce(s, o, t, d) {
		return false
	}
	if t.due = o.twofold && r.awaited(t) && t.current; t.due {
		t.sent, t.returned = true, int32(o.ret)
		return d.back == 0
	}
	if !r.awaited(t) && (t.current || r.evicts) && (o.outcome != engine.Ignore || t.probe()) {
		t.sent, t.returned, t.clean = true, int32(o.ret), o.clean
		return d.back == 0
	}
	counted := *t
	s.tickets.drop(o.serial)
	s.must = second{kind: count, of: o.serial}
	return r.judge(s, o, counted, d)
}

// count counts an outcome that was on its way. The ticket is then done with.
func (r *rules) count(s *state, o *operation, d doubt) bool {
	t := s.tickets.of(o.serial)
	if t == nil || !t.sent || t.due {
		return false
	}
	counted := *t
	s.tickets.drop(o.serial)
	return r.judge(s, o, counted, d)
}

// judge counts the outcome of t, which o reports.
func (r *rules) judge(s *state, o *operation, t ticket, d doubt) bool {
	c, marked := &s.circuit, t.outcome == engine.Failure || t.slow
	if s.forced.on || t.outcome == engine.Ignore || !t.current && (!d.stray || !r.evicts || c.state != breaker.Closed || t.probe()) {
		return d.back == 0 && !d.lost
	}
	if d.lost { // a failure is counted by the key's next cell
		return t.orphan && t.outcome == engine.Success && d.back == 0 && !s.turn.ends(o)
	}
	switch {
	case c.state == breaker.HalfOpen && marked:
		r.fail(s, s.now)
	case c.state == breaker.HalfOpen:
		c.successes, c.last = c.successes+1, s.now
		if c.successes >= r.breaker.successes {
			trips := c.trips
			if s.closed(); trips > 0 {
				c.trips, c.since = trips, s.now
			}
		}
	case marked:
		return r.mark(s, o, t, d)
	default:
		if !t.gated {
			c.failures = 0
		}
		if c.failures == 0 && !c.window.marked() {
			c.last = 0
		}
		return r.succeed(s, o, d.back)
	}
	return d.back == 0
}

// mark counts a failure or a slow call of a closed breaker.
func (r *rules) mark(s *state, o *operation, t ticket, d doubt) bool {
	c, now := &s.circuit, s.present(o)
	c.last = now
	if c.failures++; t.outcome == engine.Success || r.breaker.threshold == 0 {
		c.failures = 0
	}
	in, ok := r.place(s, o, t, d.back)
	if !ok {
		return false
	}
	if r.breaker.threshold > 0 && c.failures >= r.breaker.threshold || r.breaker.tooMany(in, t) {
		r.trip(s, now)
	}
	return true
}

// times finds out whether the call of t was slow. That is in doubt if the clock stepped while the call was
// let through.
func (r *rules) times(s *state, t *ticket, d doubt) bool {
	began, ceil := int(t.began), int(t.ceil)
	t.began, t.ceil, t.slow = 0, 0, false
	if r.breaker.slowRate == 0 || t.outcome == engine.Ignore {
		return !d.slow
	}
	may, must := s.now-began >= r.breaker.slowAfter, s.now-ceil >= r.breaker.slowAfter
	t.slow = must || may && d.slow
	return !d.slow || may && !must
}

// atOnce finds out whether the success of t, which o reports, is counted at the gate. If failures in a row
// open the breaker, too, that is so only if none is counted and the gate is free; and if a turn may be
// under way, a message may do as well.
func (r *rules) atOnce(s *state, o *operation, t *ticket, d doubt) bool {
	may := !r.exact() && t.current && !t.probe() && !t.slow && t.outcome == engine.Success && s.circuit.window.counts
	if r.breaker.threshold > 0 {
		may = may && s.circuit.failures == 0 && r.free(s)
	}
	must := may && (r.breaker.threshold == 0 || o.quiet && s.circuit.window.newest != s.circuit.window.past() && !s.messages())
	t.gated = must || may && d.gated
	return !d.gated || may && !must
}

// messages reports whether an outcome is on its way to the actor.
func (s *state) messages() bool {
	for i := range s.tickets {
		if t := &s.tickets[i]; t.sent && !t.gated {
			return true
		}
	}
	return false
}

// overdue reports whether a success is not counted that was to be counted at the gate before o began.
func (s *state) overdue(o *operation) bool {
	for i := range s.tickets {
		if t := &s.tickets[i]; t.gated && int64(t.returned) < o.call {
			return true
		}
	}
	return false
}

// tells is awaited for the ticket of a report o that is to come.
func (r *rules) tells(s *state, o *operation, d doubt) bool {
	t := s.tickets.of(o.serial)
	if t == nil {
		return false
	}
	is := *t
	is.outcome = o.outcome
	return r.times(s, &is, d) && r.awaited(&is)
}

// awaited reports whether a caller that reports an outcome is told when it has been counted.
func (r *rules) awaited(t *ticket) bool {
	return r.published && (t.outcome == engine.Failure || t.slow) && !t.probe()
}
