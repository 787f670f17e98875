package linear_test

import "github.com/limitpal/limitpal-go/engine"

// hold is the tokens of a call that is not made, from the debit until they are given back. If no
// debit stands on top of a hold, and no Reset came, the hold is given back exactly: the bucket is
// then as if the debit had never been. Else the tokens stay spent.
type hold struct {
	serial  int8   // of the call; 0: no hold
	tokens  int8   //
	stands  bool   // no hold, but a debit that stands, of a call that is to ask the breaker yet
	buried  bool   // a debit that stands came on top, or a Reset
	aged    bool   // the breaker has begun a period since: the engine may take that for a Reset
	without [2]int // the levels if the debit had never been
}

// holds are those that are out, in the order of their debits; at most one for each client.
type holds [clients]hold

// of returns the place of the hold with a serial, or -1.
func (h *holds) of(serial int8) int {
	for i := range h {
		if h[i].serial == serial && serial != 0 {
			return i
		}
	}
	return -1
}

// push puts a hold on top, and reports whether there was room.
func (h *holds) push(top hold) bool {
	for i := range h {
		if h[i].serial == 0 {
			h[i] = top
			return true
		}
	}
	return false
}

// drop takes out the hold at i.
func (h *holds) drop(i int) {
	copy(h[i:], h[i+1:])
	h[len(h)-1] = hold{}
}

// bury notes that a debit stands, or that a Reset came, on top of the first n holds. These are then
// below all that are not buried. What they were does not matter any more, nor in which order they
// are: they are put into that of their serials, so that equal sets are equal states.
func (s *state) bury(n int) {
	for i := range s.holds[:n] {
		if h := &s.holds[i]; h.serial != 0 {
			*h = hold{serial: h.serial, tokens: h.tokens, stands: h.stands, buried: true}
			for ; i > 0 && s.holds[i-1].serial > s.holds[i].serial; i-- {
				s.holds[i-1], s.holds[i] = s.holds[i], s.holds[i-1]
			}
		}
	}
}

// hold takes the tokens of a call that is ready and is not made. If a ticket comes with the tokens,
// it goes back as one that counts for nothing.
func (r *rules) hold(s *state, o *operation, waited bool) bool {
	h := hold{serial: o.serial, tokens: o.tokens, without: s.levels}
	r.charge(s, o, waited)
	r.occupy(s, o, 1)
	return s.holds.push(h) && (o.chained || r.waive(s, o))
}

// waive gives a ticket to a call that is not made. If it is a probe's, its place is free again
// later.
func (r *rules) waive(s *state, o *operation) bool {
	if !o.asks || r.breaker == nil {
		return true
	}
	back := operation{kind: report, serial: o.serial, outcome: engine.Ignore, ret: o.ret}
	ok := r.enlist(s, o) && r.report(s, &back, doubt{})
	s.must = second{}
	return ok
}

// release gives back the tokens of a hold, or has them stay spent. They come back at this time:
// those who wait do not get them as of an earlier one.
func (r *rules) release(s *state, o *operation, d doubt) bool {
	i := s.holds.of(o.serial)
	if i < 0 {
		return false
	}
	h := s.holds[i]
	r.occupy(s, o, -1)
	undone := !h.buried && (i+1 == len(s.holds) || s.holds[i+1].serial == 0)
	if d.kept && (!undone || !h.aged && !r.gone(s)) {
		return false
	}
	s.holds.drop(i)
	if undone && !d.kept {
		s.levels = h.without
		s.wait(false)
		return true
	}
	s.bury(i)
	s.spent += int(h.tokens)
	return s.spent <= r.kept
}

// gone reports whether the key may have been forgotten since the debit on top: the bucket has been
// full again.
func (r *rules) gone(s *state) bool { return r.evicts && r.within(s.levels) == r.within(s.newborn) }

// try is a Run through a chain that does not find the tokens of all keys at the gates. It may have
// held those of this one.
func (r *rules) try(s *state, o *operation, d doubt) bool {
	return d.held && r.atGate(s, o) && r.has(s.levels, int(o.tokens), !o.place, 0) && r.hold(s, o, false)
}

// permit is the answer of the breaker to a call for a chain that has its tokens.
func (r *rules) permit(s *state, o *operation, d doubt) bool {
	i, barred := s.holds.of(o.serial), r.barred(s, o)
	switch {
	case i < 0:
		return false
	case o.result == granted:
		s.holds.drop(i)
		return !barred && r.enlist(s, o)
	case o.result == open && !barred, d.held && (barred || !r.waive(s, o)):
		return false
	}
	s.follow(o, permit, false)
	return true
}

// follow says what has to come at once behind the step of kind after, because it changes nothing:
// every further step of a call that holds nothing. If the call is queued, or was, it has left or
// leaves in a step of its own.
func (s *state) follow(o *operation, after kind, queued bool) {
	holds := s.holds.of(o.serial) >= 0
	reached := after == enter || after == try
	for _, k := range [...]kind{leave, permit, count, release} {
		switch {
		case !reached:
			reached = k == after
			continue
		case !o.has(k), queued && (k == leave || k == count), k == count && s.tickets.of(o.serial) != nil:
			continue
		case queued && after == count, holds && (k == permit || k == release):
			return
		}
		s.must = second{k, o.serial, queued}
		return
	}
	for _, k := range [...]kind{enter, pass} { // a Run that held nothing at the gates
		if o.serial < 0 && o.has(k) {
			s.must = second{kind: k, of: -o.serial}
		}
	}
}

// inTurn reports whether o comes behind what a Run does at the gates before o, and takes note of
// that.
func (s *state) inTurn(o *operation) bool {
	bit := uint8(1) << o.client
	switch {
	case o.kind == try && (o.has(enter) || o.has(pass)):
		s.tried |= bit
	case (o.kind == enter || o.kind == pass) && o.has(try):
		ok := s.tried&bit != 0 && s.holds.of(-o.serial) < 0
		s.tried &^= bit
		return ok
	}
	return true
}
