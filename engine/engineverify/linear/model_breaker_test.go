package linear_test

import (
	"math"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// policy is a breaker.Policy, durations in ticks.
type policy struct {
	threshold, recovery, successes, probes, lease, forget int
	tolerated, longest                                    int // longest: 0 is no growth
}

// circuit is the breaker of a key.
type circuit struct {
	state     breaker.State
	failures  int // in a row, while closed
	successes int // of probes, while half-open
	bad       int // failures of probes, while half-open
	probeAt   int // from when on a probe is let through, once it has opened
	last      int // closed: the time of the last failure; else a recovery before a probe could come, or the last outcome that counted
	trips     int // that make the next open time grow
	since     int // closed: from when on the trips become fewer
}

// ticket is the leave that a client has to make a call, until its outcome is counted.
type ticket struct {
	serial   int8 // of the history, from 1; 0: none
	current  bool // of the breaker's present period: else its outcome does not count
	sent     bool // reported, and not counted yet
	clean    bool // no failure was reported at the same time
	outcome  engine.Outcome
	lease    int16 // the time at which a probe's place is taken back; 0: no probe
	returned int32 // when the report had
}

// tickets are those that are out, in the order of their serials: equal sets are equal states. There
// may be one for each client, and behind those whose reports have returned: one in its turn and as
// many as a mailbox holds.
type tickets [clients + 10]ticket

// of returns the ticket with a serial, or nil.
func (t *tickets) of(serial int8) *ticket {
	for i := range t {
		if t[i].serial == serial {
			return &t[i]
		}
	}
	return nil
}

// push puts a ticket in its place, and reports whether there was room.
func (t *tickets) push(one ticket) bool {
	if t[len(t)-1].serial != 0 {
		return false
	}
	at := len(t) - 1
	for ; at > 0 && (t[at-1].serial == 0 || t[at-1].serial > one.serial); at-- {
		t[at] = t[at-1]
	}
	t[at] = one
	return true
}

// drop removes the ticket with a serial.
func (t *tickets) drop(serial int8) {
	kept := 0
	for i := range t {
		if t[i].serial != serial {
			t[kept] = t[i]
			kept++
		}
	}
	for ; kept < len(t); kept++ {
		t[kept] = ticket{}
	}
}

func (t *ticket) probe() bool { return t.lease > 0 }

// period begins a new one: the outcomes of calls from before do not count any more, nor does the
// end of a lease.
func (s *state) period() {
	for i := range s.tickets {
		if t := &s.tickets[i]; t.serial != 0 {
			t.current, t.lease = false, min(t.lease, 1)
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
	c := &s.circuit
	if r.breaker == nil || c.state == breaker.Closed && c.failures == 0 && c.trips == 0 {
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
		if c.failures > 0 && s.now >= c.last+r.breaker.forget {
			c.failures, c.last = 0, 0
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
	switch n, _ := s.probing(); s.circuit.state {
	case breaker.Open:
		return s.now >= s.circuit.probeAt
	case breaker.HalfOpen:
		return !r.full(s, n)
	default:
		return true
	}
}

// admit gives a ticket, and reports whether there is one left.
func (r *rules) admit(s *state, serial int8) bool {
	if s.circuit.state == breaker.Open {
		s.period()
		s.circuit = circuit{state: breaker.HalfOpen, last: s.circuit.last, trips: s.circuit.trips}
	}
	t := ticket{serial: serial, current: true}
	if s.circuit.state == breaker.HalfOpen {
		t.lease = int16(s.now + r.breaker.lease)
	}
	return s.tickets.push(t)
}

// report is the end of a call. Its outcome is counted now if the caller waits for that, or if it
// counts for nothing, and else on its way.
func (r *rules) report(s *state, o *operation, stray bool) bool {
	t := s.tickets.of(o.serial)
	if t == nil || t.sent {
		return false
	}
	t.outcome = o.outcome
	if !r.awaited(o, t) && (t.current || r.evicts) && (o.outcome != engine.Ignore || t.probe()) {
		t.sent, t.returned, t.clean = true, int32(o.ret), o.clean
		return true
	}
	counted := *t
	s.tickets.drop(o.serial)
	s.must = second{kind: count, of: o.serial}
	r.judge(s, counted, stray)
	return true
}

// count counts an outcome that was on its way. The ticket is then done with.
func (r *rules) count(s *state, o *operation, stray bool) bool {
	t := s.tickets.of(o.serial)
	if t == nil || !t.sent {
		return false
	}
	counted := *t
	s.tickets.drop(o.serial)
	r.judge(s, counted, stray)
	return true
}

// judge counts the outcome of t.
func (r *rules) judge(s *state, t ticket, stray bool) {
	c, o := &s.circuit, t.outcome
	switch {
	case o == engine.Ignore:
		return
	case t.current:
	case !stray || !r.evicts || c.state != breaker.Closed || t.probe():
		return
	}
	switch {
	case c.state == breaker.HalfOpen && o == engine.Failure:
		r.fail(s, s.now)
	case c.state == breaker.HalfOpen:
		c.successes, c.last = c.successes+1, s.now
		if c.successes >= r.breaker.successes {
			trips := c.trips
			if s.closed(); trips > 0 {
				c.trips, c.since = trips, s.now
			}
		}
	case o == engine.Success:
		c.failures, c.last = 0, 0
	default:
		c.failures, c.last = c.failures+1, s.now
		if c.failures >= r.breaker.threshold {
			r.trip(s, s.now)
		}
	}
}

// look is what Inspect shows of the breaker.
func (r *rules) look(s *state) (state breaker.State, failures, openFor int) {
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
