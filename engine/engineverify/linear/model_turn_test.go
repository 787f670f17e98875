package linear_test

import (
	"slices"

	"github.com/limitpal/limitpal-go/engine"
)

// turn is a turn of the actor that has read the clock and has not looked at the window yet, for a failure,
// a slow call or an Inspect. The turn counts as of its reading. Meanwhile the clock may step, and
// successes be counted at the gate that come later than the reading: the turn counts them in. That is an
// order of its own only if the clock steps: else the reading may be put behind the successes.
//
// So an Inspect, and a report of such a call, has a step more in the model if the clock steps while it lasts:
// see twofold. Of a report, the first step is also where the call turns out to be slow or not.
type turn struct {
	on     bool
	client int8
	serial int8  // of the call; 0: an Inspect
	now    int   // the reading
	ret    int64 // of the operation that the turn is for
	levels [2]int
}

// turns begins the turn of o.
func (s *state) turns(o *operation) { s.turn = turn{true, o.client, o.serial, s.now, o.ret, s.levels} }

// amid reports whether o may come while a turn is under way: its end, a step of the clock, what
// is on its way, and what is done at the gate. The gate of a key with one limit is not free then.
func (r *rules) amid(s *state, o *operation, d doubt) bool {
	t := s.tickets.of(o.serial)
	switch {
	case !s.turn.on:
		return true
	case o.call > s.turn.ret:
		return false
	}
	switch o.kind {
	case step:
		return true
	case look:
		return t == nil && o.serial != 0 || t != nil && !t.due
	case report:
		return o.twofold || !r.tells(s, o, d)
	case count:
		return s.turn.ends(o) || t != nil && (t.gated || !t.current)
	case inspect:
		return s.turn.ends(o)
	case pass:
		return o.result == granted && len(r.limits) == 0
	}
	return false
}

// ends reports whether o is the end of the turn.
func (t turn) ends(o *operation) bool {
	return t.on && t.client == o.client && t.serial == o.serial && (o.kind == count || o.kind == inspect)
}

// present is the time as of which o is judged. The turn that o is the end of is over.
func (s *state) present(o *operation) int {
	if now := s.turn.now; s.turn.ends(o) {
		s.turn = turn{}
		return now
	}
	return s.now
}

// looks is the beginning of the turn of an Inspect or of a report, if there is anything to look at.
func (r *rules) looks(s *state, o *operation) bool {
	of := operation{kind: inspect, call: o.call}
	if o.serial != 0 {
		t := s.tickets.of(o.serial)
		if t == nil || !t.due {
			return true
		}
		t.due = false
		of.kind = report
	} else if s.looked |= 1 << o.client; !s.circuit.window.counts {
		return true
	}
	if !r.caughtUp(s, &of, doubt{}) {
		return false
	}
	s.turns(o)
	return true
}

// twofold returns the operations with one more for the beginning of the turn of each that a step of the clock
// overlaps.
func (r *rules) twofold(seen []*operation) (all []*operation) {
	for _, o := range seen {
		turns := o.kind == inspect || o.kind == report && (o.outcome == engine.Failure || o.outcome == engine.Success && r.breaker.slowRate > 0)
		if turns && slices.ContainsFunc(seen, func(m *operation) bool { return m.kind == step && m.call <= o.ret && m.ret >= o.call }) {
			is := *o
			is.twofold = true
			begins := is
			begins.kind = look
			all = append(all, &begins)
			o = &is
		}
		all = append(all, o)
	}
	return all
}
