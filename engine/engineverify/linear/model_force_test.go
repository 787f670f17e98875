package linear_test

import (
	"math"

	"github.com/limitpal/limitpal-go/breaker"
)

// byHand is the state that a person has forced a breaker into. While it lasts, the breaker is closed
// beneath and counts nothing.
type byHand struct {
	on    bool
	to    breaker.State
	until int // the time at which it ends, or math.MaxInt
}

// always stands for breaker.Forever, in ticks.
const always = int(breaker.Forever / tick)

// force is a Force. It begins or ends a new period, so that no outcome of a call counts that was let
// through before. With MaxKeys there may be no room for a forced key more, but a key that is forced
// has its room. The time counts from the turn's reading of the clock. With gates, a call may find the
// refusal of the state before after that, and at a later time: so the reading may have come some ticks
// earlier than the end of the turn, within the call.
func (r *rules) force(s *state, o *operation, earlier int) bool {
	if earlier > max(0, s.now-o.floor) {
		return false
	}
	switch {
	case o.result != granted:
		return o.result == crowded && r.spills && !s.forced.on
	case o.d > 0:
		s.forced = byHand{on: true, to: o.to, until: math.MaxInt}
		if o.d < always {
			s.forced.until = s.now - earlier + o.d
		}
		s.closed()
		s.born = true
	case s.forced.on:
		s.unforce()
	}
	return true
}

// unforce ends the forced state.
func (s *state) unforce() {
	s.forced = byHand{}
	s.closed()
}

// opened reports whether the breaker refuses every call until an instant that is known, or was known
// until a moment ago.
func (s *state) opened() bool {
	if s.forced.on {
		return s.forced.to == breaker.Open
	}
	return s.circuit.state == breaker.Open
}

// look is what Inspect shows at the time now.
func (f byHand) look(now int) (state breaker.State, failures, openFor int) {
	switch {
	case f.to != breaker.Open:
		return f.to, 0, 0
	case f.until == math.MaxInt:
		return f.to, 0, always
	default:
		return f.to, 0, f.until - now
	}
}

// earlier has a call that took its token at the gate have taken it some ticks earlier, within the call, from
// a bucket that was full then. A call reads the clock, then looks at full-at and at the breaker's period, and then
// takes. Where a forced state begins or ends in between, full-at may be as before (docs/gates.md): so the token
// is of the reading, and the permit of the period that follows.
func (r *rules) earlier(s *state, o *operation, before [2]int, ticks int) bool {
	l := r.limits[0]
	if l.leaky || before[0] < l.brim() || ticks > s.now-o.floor || !r.free(s) {
		return false
	}
	s.levels[0] = min(l.brim(), s.levels[0]+ticks*perTick)
	return true
}
