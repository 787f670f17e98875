package linear_test

import "github.com/limitpal/limitpal-go/breaker"

// memory is what may be remembered of a key when it is forgotten at MaxKeys, besides what it does not lose by that anyway: tokens,
// and how long its breaker is open.
type memory struct {
	probeAt int // of the latest trip that it was forgotten with; 0: none
}

// mayGo reports whether the key may be forgotten at MaxKeys: nobody waits, and no probe is out.
func (r *rules) mayGo(s *state) bool {
	n, _ := s.probing()
	return n == 0 && s.waiting == 0
}

// forgettings are the states that s may be in without anything having been done to the key: it may have been forgotten, and may
// have come back. Nothing is gained by that; but what is lost is written down in docs/gates.md: failures of a closed breaker,
// successes of a half-open one, and a breaker that has recovered from a trip may be as if it had not.
func (r *rules) forgettings(s state) []state {
	all := []state{s}
	if !r.spills || r.breaker == nil || !r.mayGo(&s) {
		return all
	}
	gone := s
	if c := &gone.circuit; c.state == breaker.Closed {
		c.failures = 0
	} else {
		gone.memory.probeAt = max(gone.memory.probeAt, c.last+r.breaker.recovery)
	}
	all = append(all, gone)
	if gone.memory.probeAt > 0 {
		at := gone.memory.probeAt - r.breaker.recovery
		back := gone
		r.trip(&back, at)
		if back.now < max(back.circuit.probeAt, at+r.breaker.forget) {
			all = append(all, back)
		}
	}
	return all
}
