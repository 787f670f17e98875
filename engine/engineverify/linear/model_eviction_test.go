package linear_test

import "github.com/limitpal/limitpal-go/breaker"

// mayGo reports whether the key may be forgotten at MaxKeys: nobody waits, no probe is out, and it is not
// forced.
func (r *rules) mayGo(s *state) bool {
	n, _ := s.probing()
	return n == 0 && s.waiting == 0 && !s.forced.on
}

// forgotten is the state that s may be in too, without anything having been done to the key, if there is
// one: the key may have been forgotten, and may have come back. Nothing is gained by that; but what is
// lost is written down in docs/gates.md: failures and growth of a closed breaker, and the outcomes of a
// half-open one, which comes back as if the last of them had opened it.
//
// A key that judges by rates loses the successes in its window, also if it is forgotten because it equals
// a new one. A success of a call that the cell let through before may be lost as well: the caller may
// count it in the cell that has gone, or finds that no cell is there. Failures of such calls are counted
// by the next cell.
func (r *rules) forgotten(s *state) (back state, ok bool) {
	loses := r.rated() && r.evicts && r.asNew(s) && (s.circuit.window.counts || s.lends())
	if spills := r.spills && r.breaker != nil && r.mayGo(s); !spills && !loses {
		return state{}, false
	}
	back = *s
	if c := &back.circuit; c.state == breaker.Closed {
		*c = circuit{}
	} else {
		*c = circuit{state: breaker.Open, probeAt: c.last + r.breaker.recovery, last: c.last, trips: c.trips}
		back.period()
	}
	for i := range back.tickets {
		t := &back.tickets[i]
		t.orphan = r.rated() && t.current
	}
	return back, true
}

// lends reports whether the success of a call that is out would be lost with the key, and was not before.
func (s *state) lends() bool {
	for i := range s.tickets {
		if t := &s.tickets[i]; t.current && !t.orphan {
			return true
		}
	}
	return false
}

// rested is the state that s may be in too, if there is one: a sweep has found that the window of a key is
// over, and has dropped it. The next success then begins a window of its own instant, and would else be
// in the old slice, which has gone.
func (r *rules) rested(s *state) (back state, ok bool) {
	w := &s.circuit.window
	if !r.evicts || !w.counts || r.breaker.slice == 0 || w.newest != w.past() || !s.circuit.idle() || s.forced.on {
		return state{}, false
	}
	back = *s
	back.circuit.window = window{}
	return back, true
}
