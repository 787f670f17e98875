package linear_test

import (
	"math"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// policy is a breaker.Policy, durations in ticks.
type policy struct {
	threshold, recovery, successes, probes, lease, forget int
}

// circuit is the breaker of a key.
type circuit struct {
	state     breaker.State
	failures  int // in a row, while closed
	successes int // of probes, while half-open
	probeAt   int // from when on a probe is let through, once it has opened
	last      int // the time of the last outcome that counted
}

// ticket is the leave that a client has to make a call.
type ticket struct {
	held     bool
	current  bool // of the breaker's present period: else its outcome does not count
	lease    int  // the time at which a probe's place is taken back; 0: no probe
	reported bool
	sent     bool // reported, and not counted yet
	outcome  engine.Outcome
	returned int64 // when the report had
}

func (t *ticket) probe() bool { return t.lease > 0 }

// period begins a new one: the outcomes of calls from before do not count any more.
func (s *state) period() {
	for i := range s.tickets {
		s.tickets[i].current = false
	}
}

// closed makes the breaker as new.
func (s *state) closed() {
	s.circuit = circuit{}
	s.period()
}

// trip opens the breaker as of the instant at.
func (r *rules) trip(s *state, at int) {
	s.circuit = circuit{state: breaker.Open, probeAt: at + r.breaker.recovery, last: at}
	s.period()
}

// probing are the probes in flight and the instant at which the first of them must be back.
func (s *state) probing() (n, first int) {
	first = math.MaxInt
	for i := range s.tickets {
		if t := &s.tickets[i]; t.current && t.probe() {
			n, first = n+1, min(first, t.lease)
		}
	}
	return n, first
}

// age is what time alone does: leases end, each a failure, and what is old is forgotten.
func (r *rules) age(s *state) {
	c := &s.circuit
	if r.breaker == nil || c.state == breaker.Closed && c.failures == 0 {
		return
	}
	n, first := s.probing()
	if n > 0 && first <= s.now {
		r.trip(s, first)
		n = 0
	}
	switch {
	case n > 0 || s.now < c.last+r.breaker.forget:
	case c.state == breaker.Closed:
		c.failures = 0
	case s.now >= c.probeAt:
		s.closed()
	}
}

// lets reports whether the breaker lets a call through.
func (r *rules) lets(s *state) bool {
	switch n, _ := s.probing(); s.circuit.state {
	case breaker.Open:
		return s.now >= s.circuit.probeAt
	case breaker.HalfOpen:
		return n < r.breaker.probes
	default:
		return true
	}
}

// admit gives client its ticket.
func (r *rules) admit(s *state, client int8) {
	if s.circuit.state == breaker.Open {
		s.period()
		s.circuit.state, s.circuit.successes = breaker.HalfOpen, 0
	}
	t := ticket{held: true, current: true}
	if s.circuit.state == breaker.HalfOpen {
		t.lease = s.now + r.breaker.lease
	}
	s.tickets[client] = t
}

// report is the end of a call. Its outcome is counted now if the caller waits for that, and else on its way.
func (r *rules) report(s *state, o *operation, stray bool) bool {
	t := &s.tickets[o.client]
	if !t.held || t.reported {
		return false
	}
	t.reported, t.outcome, t.returned = true, o.outcome, o.ret
	if !r.awaited(o, t) {
		t.sent = true
		return true
	}
	r.judge(s, t.outcome, *t, stray)
	return true
}

// count counts an outcome that was on its way, after those that were reported before. The ticket is then done with.
func (r *rules) count(s *state, o *operation, stray bool) bool {
	t := s.tickets[o.client]
	if !t.reported {
		return false
	}
	s.tickets[o.client] = ticket{}
	if t.sent {
		r.judge(s, t.outcome, t, stray)
	}
	return true
}

// judge counts the outcome of t.
func (r *rules) judge(s *state, o engine.Outcome, t ticket, stray bool) {
	c := &s.circuit
	switch {
	case o == engine.Ignore:
		return
	case t.current:
	case !stray || !r.evicts || c.state != breaker.Closed || t.probe():
		return
	}
	switch {
	case c.state == breaker.HalfOpen && o == engine.Failure:
		r.trip(s, s.now)
	case c.state == breaker.HalfOpen:
		c.successes, c.last = c.successes+1, s.now
		if c.successes >= r.breaker.successes {
			s.closed()
		}
	case o == engine.Success:
		c.failures = 0
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
	case c.state == breaker.HalfOpen && n >= r.breaker.probes:
		return breaker.HalfOpen, 0, first + r.breaker.recovery - s.now
	default:
		return breaker.HalfOpen, 0, 0
	}
}
