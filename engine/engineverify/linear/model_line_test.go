package linear_test

import "slices"

// waiter is a caller in the queue.
type waiter struct {
	serial int8 // of the call
	tokens int8
	asks   bool  // the breaker
	held   bool  // it is going to hold tokens, and is not made
	takes  bool  // it is going to take tokens
	waited bool  // it takes tokens and came before now; at this time, none has left the head without
	supply int32 // of the call
	gone   int32 // when the caller that leaves has returned; 0: it does not leave
}

// charge takes the tokens of a call that is ready. Waited says that its turn came before now, and
// when it did it waited already, and was the first.
func (r *rules) charge(s *state, o *operation, waited bool) {
	if waited {
		r.debit(&s.levels, int(o.tokens))
	} else {
		r.take(&s.levels, int(o.tokens))
	}
}

// grant takes the tokens of a call that is made, and gives it a ticket if it asked the breaker.
func (r *rules) grant(s *state, o *operation, waited bool) bool {
	r.occupy(s, o, 1)
	r.charge(s, o, waited)
	s.bury(len(s.holds))
	if o.has(permit) {
		ok := s.holds.push(hold{serial: o.serial, stands: true})
		s.bury(len(s.holds))
		return ok
	}
	return o.chained || r.enlist(s, o)
}

// admits reports whether a place is free for a call, if it takes one.
func (r *rules) admits(s *state, o *operation) bool {
	return !o.asks || r.places == 0 || s.inside < r.places
}

// occupy has a call take a place (more is 1) or give it back (more is -1).
func (r *rules) occupy(s *state, o *operation, more int) {
	if o.asks && r.places > 0 {
		s.inside += more
	}
}

// vacate gives back the place of a call whose outcome has been reported.
func (r *rules) vacate(s *state, o *operation) bool {
	if t := s.tickets.of(o.serial); t != nil && !t.sent {
		return false
	}
	s.inside--
	return s.inside >= 0
}

// enlist gives a ticket to a call that asked the breaker.
func (r *rules) enlist(s *state, o *operation) bool {
	return !o.asks || r.breaker == nil || r.admit(s, o)
}

// barred reports whether the breaker refuses the call.
func (r *rules) barred(s *state, o *operation) bool {
	return o.asks && !r.lets(s)
}

// queues reports whether the call may wait at all.
func (r *rules) queues(o *operation) bool { return r.waits && !o.nowait }

// pass is a call that does not wait: breaker first, then the limits.
func (r *rules) pass(s *state, o *operation) bool {
	barred := r.barred(s, o)
	ready := !barred && s.waiting == 0 && r.has(s.levels, int(o.tokens), !o.place, 0)
	may := ready && r.admits(s, o)
	switch o.result {
	case granted:
		return may && r.grant(s, o, false)
	case open:
		return barred
	case crowded:
		return r.spills && !s.forced.on // a key that is forced is known
	case occupied:
		return ready && !may
	case refused:
		return !barred && !ready && (!r.queues(o) || r.doomed(s, o) || !r.room(s, o))
	case full: // a call for a chain looks for a place before it reckons how long it would wait
		return !barred && !may && (o.chained || r.viable(s, o)) && r.room(s, o) && s.waiting >= r.maxQueue
	default:
		return false
	}
}

// enter is the beginning of a call that may wait, or that may hold tokens and is not made. If it
// could be decided at once it is, and a caller who leaves has left before.
func (r *rules) enter(s *state, o *operation, d doubt) bool {
	left := o.result == canceled
	switch {
	case r.barred(s, o):
		if d.held || !left && o.result != open {
			return false
		}
	case s.waiting == 0 && r.has(s.levels, int(o.tokens), !o.place, 0) && r.admits(s, o):
		if d.held && !r.hold(s, o, false) || !d.held && !left && (o.result != granted || !r.grant(s, o, false)) {
			return false
		}
	case r.queues(o) && r.viable(s, o) && r.room(s, o) && s.waiting < r.maxQueue:
		w := waiter{serial: o.serial, tokens: o.tokens, asks: o.asks, held: d.held, supply: o.supply, takes: d.held || o.result == granted}
		if left && !d.held {
			w.gone = int32(o.ret)
		}
		s.line[s.waiting] = w
		s.waiting++
		if !d.held && o.result != granted {
			s.follow(o, enter, true)
		}
		return true
	default:
		if d.held || !left {
			return false
		}
	}
	s.follow(o, enter, false)
	return true
}

// leave is the end of a call that waits.
func (r *rules) leave(s *state, o *operation) bool {
	at := -1
	for i, w := range s.line[:s.waiting] {
		if w.serial == o.serial {
			at = i
		}
	}
	if at < 0 {
		return false
	}
	head := at == 0 && r.has(s.levels, int(o.tokens), true, 0) && r.admits(s, o)
	barred := r.barred(s, o)
	w, ok := s.line[at], false
	switch {
	case w.held || o.result == granted:
		ok = head && !barred
	case o.result == canceled:
		ok = true
	case o.result == open: // it opened meanwhile, or had no place for a probe when the turn came
		ok = barred && (head || s.opened())
	}
	waited := w.waited && r.has(s.levels, int(o.tokens), true, 1)
	copy(s.line[at:], s.line[at+1:s.waiting])
	s.waiting--
	s.line[s.waiting] = waiter{}
	if at == 0 && o.result != granted && !w.held {
		s.wait(false)
	}
	switch {
	case !ok:
	case w.held:
		ok = r.hold(s, o, waited)
		s.follow(o, leave, false)
	case o.result == granted:
		ok = r.grant(s, o, waited)
	case o.has(count):
		s.must = second{count, o.serial, true}
	}
	return ok
}

// wait notes whether those that wait have waited: whether a turn that comes at this time may be as
// of an earlier instant.
func (s *state) wait(waited bool) {
	for i := range s.line[:s.waiting] {
		s.line[i].waited = waited && s.line[i].takes
	}
}

// askers reports whether any of those that wait asked the breaker.
func (s *state) askers() bool {
	return slices.ContainsFunc(s.line[:s.waiting], func(w waiter) bool { return w.asks })
}

// wanted are the tokens that those who wait ask for.
func (s *state) wanted() (n int) {
	for _, w := range s.line[:s.waiting] {
		n += int(w.tokens)
	}
	return n
}

// ahead is how long it is until n tokens are there behind all that wait, served one by one at the
// first instant from now on.
func (r *rules) ahead(s *state, n int8) (ticks int) {
	levels := s.levels
	for i := range s.waiting + 1 {
		w := n
		if i < s.waiting {
			w = s.line[i].tokens
		}
		for !r.has(levels, int(w), true, 0) {
			r.flow(&levels, s.now+ticks, 1)
			ticks++
		}
		r.take(&levels, int(w))
	}
	return ticks
}

// doomed reports whether a call may be told that it would wait for too long. What is left of its
// context is looked at before the decision, at the time of the call or later.
func (r *rules) doomed(s *state, o *operation) bool {
	wait := r.ahead(s, o.tokens)
	return r.maxWait > 0 && wait > r.maxWait || o.patience > 0 && s.now+wait > o.floor+int(o.patience)
}

// viable reports whether a call may wait. When the head of the queue could have been served, but
// its turn has not come yet, the engine reckons as if it had.
func (r *rules) viable(s *state, o *operation) bool {
	if s.waiting > 0 && r.has(s.levels, int(s.line[0].tokens), true, 0) {
		return true
	}
	wait := r.ahead(s, o.tokens)
	return (r.maxWait == 0 || wait <= r.maxWait) && (o.patience == 0 || wait <= int(o.patience))
}

// room reports whether every leaky bucket has a place for the call, besides those that wait.
func (r *rules) room(s *state, o *operation) bool {
	for i, l := range r.limits {
		if l.leaky && int(o.tokens) > (l.brim()-max(0, s.levels[i]))/l.cost(1)-s.wanted() {
			return false
		}
	}
	return true
}
