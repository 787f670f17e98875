package linear_test

import "github.com/limitpal/limitpal-go/breaker"

// mayGo reports whether the key may be forgotten at MaxKeys: nobody waits, and no probe is out.
func (r *rules) mayGo(s *state) bool {
	n, _ := s.probing()
	return n == 0 && s.waiting == 0
}

// forgotten is the state that s may be in too, without anything having been done to the key, if there is
// one: the key may have been forgotten, and may have come back. Nothing is gained by that; but what is
// lost is written down in docs/gates.md: failures and growth of a closed breaker, and the outcomes of a
// half-open one, which comes back as if the last of them had opened it.
func (r *rules) forgotten(s *state) (back state, ok bool) {
	if !r.spills || r.breaker == nil || !r.mayGo(s) {
		return state{}, false
	}
	back = *s
	if c := &back.circuit; c.state == breaker.Closed {
		*c = circuit{}
	} else {
		*c = circuit{state: breaker.Open, probeAt: c.last + r.breaker.recovery, last: c.last, trips: c.trips}
		back.period()
	}
	return back, true
}
