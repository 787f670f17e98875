package linear_test

import (
	"math"

	"github.com/limitpal/limitpal-go/breaker"
)

// policy is a breaker.Policy, durations in ticks.
type policy struct {
	threshold, recovery, successes, probes, lease, forget int
	tolerated, longest                                    int // longest: 0 is no growth
	rates
}

// circuit is the breaker of a key.
type circuit struct {
	state     breaker.State
	failures  int // in a row, while closed
	successes int // of probes, while half-open
	bad       int // failures of probes, while half-open
	probeAt   int // from when on a probe is let through, once it has opened
	last      int // closed: the time of the last failure or slow call; else a recovery before a probe could come, or the last outcome that counted
	trips     int // that make the next open time grow
	since     int // closed: from when on the trips become fewer
	window    window
}

// period begins a new one: the outcomes of calls from before do not count any more, nor does the
// end of a lease.
func (s *state) period() {
	for i := range s.tickets {
		if t := &s.tickets[i]; t.serial != 0 {
			t.current, t.due, t.gated, t.orphan, t.lease = false, false, false, false, min(t.lease, 1)
		}
	}
	for i := range s.holds {
		s.holds[i].aged = s.holds[i].serial != 0 && !s.holds[i].buried
	}
}

// closed makes the breaker as new.
func (s *state) closed() {
	s.circuit = circuit{}
	s.period()
}

// trip opens the breaker as of the instant at.
func (r *rules) trip(s *state, at int) {
	trips := s.circuit.trips
	probeAt := at + r.openTime(trips)
	if r.openTime(trips) < r.breaker.longest {
		trips++
	}
	s.circuit = circuit{state: breaker.Open, probeAt: probeAt, last: probeAt - r.breaker.recovery, trips: trips}
	s.period()
}

// openTime is how long the breaker is open after so many trips before.
func (r *rules) openTime(trips int) int {
	d := r.breaker.recovery
	for range trips {
		d = min(2*d, r.breaker.longest)
	}
	return d
}

// fail counts a failure of a probe, or the end of its lease, at the instant at.
func (r *rules) fail(s *state, at int) {
	c := &s.circuit
	if c.bad, c.last = c.bad+1, at; c.bad > r.breaker.tolerated {
		r.trip(s, at)
	}
}

// lapse takes the place back of a probe whose lease has ended.
func (s *state) lapse(first int) {
	for i := range s.tickets {
		if t := &s.tickets[i]; t.current && int(t.lease) == first {
			t.current, t.lease = false, 1
			return
		}
	}
}

// probing are the probes in flight and the instant at which the first of them must be back.
func (s *state) probing() (n, first int) {
	first = math.MaxInt
	for i := range s.tickets {
		if t := &s.tickets[i]; t.current && t.probe() {
			n, first = n+1, min(first, int(t.lease))
		}
	}
	return n, first
}

// age is what time alone does: leases end, each a failure, and what is old is forgotten.
func (r *rules) age(s *state) {
	if s.forced.on && s.now >= s.forced.until {
		s.unforce()
	}
	c := &s.circuit
	if r.breaker == nil || *c == (circuit{}) || s.turn.on {
		return
	}
	n, first := s.probing()
	for ; n > 0 && first <= s.now; n, first = s.probing() {
		s.lapse(first)
		r.fail(s, first)
	}
	switch {
	case n > 0:
	case c.state == breaker.Closed:
		for ; c.trips > 0 && s.now >= c.since+r.breaker.recovery; c.trips-- {
			c.since += r.breaker.recovery
		}
		if c.trips == 0 {
			c.since = 0
		}
		r.slide(s)
		if s.now >= c.last+r.breaker.forget {
			c.failures = 0
			c.window.forgive()
		}
		if c.failures == 0 && !c.window.marked() {
			c.last = 0
		}
	case s.now >= c.last+max(r.breaker.forget, 11*r.breaker.recovery): // half-open for ten of them
		s.closed()
	}
}

// full reports whether no place is left for a probe, when n are out.
func (r *rules) full(s *state, n int) bool {
	return n >= r.breaker.probes || n+s.circuit.successes >= r.breaker.successes
}

// lets reports whether the breaker lets a call through.
func (r *rules) lets(s *state) bool {
	if s.forced.on || r.breaker == nil {
		return !s.opened()
	}
	switch n, _ := s.probing(); s.circuit.state {
	case breaker.Open:
		return s.now >= s.circuit.probeAt
	case breaker.HalfOpen:
		return !r.full(s, n)
	default:
		return true
	}
}

// isOpen reports whether the breaker refuses every call, not only for want of places for probes.
func (r *rules) isOpen(s *state) bool {
	state, _, _ := r.look(s)
	return state == breaker.Open
}

// look is what Inspect shows of the breaker.
func (r *rules) look(s *state) (state breaker.State, failures, openFor int) {
	if s.forced.on {
		return s.forced.look(s.now)
	}
	n, first := s.probing()
	switch c := &s.circuit; {
	case c.state == breaker.Closed:
		return breaker.Closed, c.failures, 0
	case c.state == breaker.Open && s.now < c.probeAt:
		return breaker.Open, 0, c.probeAt - s.now
	case c.state == breaker.HalfOpen && r.full(s, n):
		bad := c.bad
		for i := range s.tickets {
			if t := &s.tickets[i]; t.current && int(t.lease) == first {
				bad++
			}
		}
		if bad > r.breaker.tolerated {
			first += r.openTime(c.trips)
		}
		return breaker.HalfOpen, 0, first - s.now
	default:
		return breaker.HalfOpen, 0, 0
	}
}
