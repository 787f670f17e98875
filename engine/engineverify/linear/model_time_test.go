package linear_test

import "github.com/limitpal/limitpal-go/breaker"

// caughtUp reports whether what was sent one way by calls that had returned before o began has
// taken effect. What is itself sent one way takes its turn behind them; what is read off an open
// gate does not depend on outcomes that are on their way, and the refusal of an open breaker, which
// is read there too, does not even depend on who stands in the queue. Nor does a success that is
// counted at the gate.
func (r *rules) caughtUp(s *state, o *operation, d doubt) bool {
	switch o.kind {
	case step, change, leave, total, look, vacate, gauge: // a call that has entered was caught up
		return true
	case report:
		if o.serial != 0 && (o.twofold || !r.tells(s, o, d)) {
			return true
		}
	case count:
		if t := s.tickets.of(o.serial); t != nil && t.gated || s.turn.ends(o) {
			return true
		}
	case inspect:
		if s.turn.ends(o) {
			return true
		}
	}
	if r.published && o.result == open && s.opened() {
		return true
	}
	for _, w := range s.line[:s.waiting] {
		if w.gone != 0 && int64(w.gone) < o.call {
			return false
		}
	}
	if r.atGate(s, o) {
		return true
	}
	for i := range s.tickets {
		if t := &s.tickets[i]; t.sent && int64(t.returned) < o.call {
			return false
		}
	}
	return true
}

// atGate reports whether o may have been decided without a message. By rates, the first success of a
// period goes to the actor one way, and until it is counted the gate shows a key without a window: so
// Inspect may miss it. Later successes are counted at the gate or found by Inspect in the actor.
func (r *rules) atGate(s *state, o *operation) bool {
	if !r.free(s) || s.circuit.state != breaker.Closed {
		return false
	}
	return o.kind <= release || o.kind == inspect && r.rated() && !s.circuit.window.counts && s.circuit.failures == 0
}

// step moves the wall clock. Time stands still while the clock is set back, and goes on from there;
// what has gone by before the clock comes to where it was does not count again.
func (r *rules) step(s *state, d int) {
	s.wall += d
	s.stepped += max(0, d)
	gone := max(0, d)
	if s.wall >= s.high {
		gone = max(0, s.highNow+s.wall-s.high-s.now)
		s.high, s.highNow = s.wall, s.now+gone
	}
	if gone == 0 {
		return
	}
	r.flow(&s.levels, s.now, gone)
	if r.others != nil {
		r.flow(&s.newborn, s.now, gone)
		s.newborn = r.within(s.newborn)
	}
	for i := range s.holds {
		if h := &s.holds[i]; h.serial != 0 && !h.stands && !h.buried {
			r.flow(&h.without, s.now, gone)
		}
	}
	s.now += gone
	s.wait(true)
}

// reset makes the key as new. Tickets that are out do not count any more, and those that wait stay.
func (r *rules) reset(s *state) {
	s.levels = r.fresh()
	s.forced = byHand{}
	s.bury(len(s.holds))
	s.closed()
}

// inspect compares what was shown with what is.
func (r *rules) inspect(s *state, o *operation) bool {
	levels := s.levels
	if s.turn.ends(o) {
		levels, s.turn = s.turn.levels, turn{}
	}
	if o.twofold {
		if s.looked&(1<<o.client) == 0 {
			return false
		}
		s.looked &^= 1 << o.client
	}
	if !o.shown.known {
		return !s.born || !s.circuit.window.counts && (r.evicts && r.asNew(s) || r.spills && r.mayGo(s))
	}
	want, also := shown{known: true, waiting: s.waiting, available: o.shown.available}, also{forced: s.forced.on}
	if r.breaker != nil || s.forced.on {
		want.state, want.failures, want.openFor = r.look(s)
		also.counted = s.circuit.window.count()
	}
	return o.shown == want && o.also == also && r.shows(s, levels, o.shown.available)
}

// asNew reports whether the key equals a new one, but for successes in its window.
func (r *rules) asNew(s *state) bool {
	return r.within(s.levels) == r.within(s.newborn) && s.circuit.idle() && s.waiting == 0 && !s.forced.on
}

// idle reports whether the breaker is closed, has counted nothing but successes, and does not grow.
func (c *circuit) idle() bool {
	return c.state == breaker.Closed && c.failures == 0 && c.trips == 0 && !c.window.marked()
}
