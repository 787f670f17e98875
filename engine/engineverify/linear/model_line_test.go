package linear_test

import (
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// waiter is a caller in the queue.
type waiter struct {
	client int8
	tokens int8
	asks   bool  // the breaker
	since  int16 // the time at which it came
	gone   int64 // when the caller that leaves has returned; 0: it does not leave
}

// grant takes the tokens of a call that is ready, and gives it a ticket if it asked the breaker. Waited says that its turn came before
// now, and when it did it waited already, and was the first.
func (r *rules) grant(s *state, o *operation, waited bool) bool {
	if waited {
		r.debit(&s.levels, int(o.tokens))
	} else {
		r.take(&s.levels, int(o.tokens))
	}
	return !o.asks || r.breaker == nil || r.admit(s, o.serial)
}

// pass is a call that does not wait: breaker first, then the limits.
func (r *rules) pass(s *state, o *operation) bool {
	barred := o.asks && r.breaker != nil && !r.lets(s)
	may := !barred && s.waiting == 0 && r.has(s.levels, int(o.tokens), true, 0)
	switch o.result {
	case granted:
		return may && r.grant(s, o, false)
	case open:
		return barred
	case crowded:
		return r.spills
	case refused:
		return !barred && !may && (!r.waits || r.doomed(s, o) || !r.room(s, o))
	case full:
		return !barred && !may && r.viable(s, o) && r.room(s, o) && s.waiting >= r.maxQueue
	default:
		return false
	}
}

// tooLate is the grant of a call whose context had ended when it came: its function is not called. What was taken stays so, but for
// the place of a probe, which comes back as the outcome of any call does.
func (r *rules) tooLate(s *state, o *operation, waited bool, d doubt) bool {
	if !o.asks || !r.grant(s, o, waited) {
		return false // Acquire keeps what it has got
	}
	return r.breaker == nil || r.report(s, &operation{kind: report, serial: o.serial, outcome: engine.Ignore, ret: o.ret}, d.stray)
}

// gone is the end of a call whose caller has left, when nothing is to be counted for it.
func (r *rules) gone(s *state, o *operation) {
	if o.result == canceled && o.asks && s.tickets.of(o.serial) == nil {
		s.must = second{count, o.serial}
	}
}

// enter is the beginning of a call that may wait. If it could be decided at once it is, and a caller who leaves has left before.
func (r *rules) enter(s *state, o *operation, d doubt) bool {
	left := o.result == canceled
	switch {
	case o.asks && r.breaker != nil && !r.lets(s):
		if !left && o.result != open {
			return false
		}
	case s.waiting == 0 && r.has(s.levels, int(o.tokens), true, 0):
		if !left && (o.result != granted || !r.grant(s, o, false)) || d.late && !r.tooLate(s, o, false, d) {
			return false
		}
		s.must = o.second()
		return true
	case r.viable(s, o) && r.room(s, o) && s.waiting < r.maxQueue:
		if d.late {
			return false // it is when it leaves that it may be too late
		}
		w := waiter{client: o.client, tokens: o.tokens, asks: o.asks, since: int16(s.now)}
		if left {
			w.gone = o.ret
		}
		s.line[s.waiting] = w
		s.waiting++
		return true
	default:
		if !left {
			return false
		}
	}
	s.must = o.second()
	return !d.late
}

// leave is the end of a call that waits.
func (r *rules) leave(s *state, o *operation, d doubt) bool {
	at := -1
	for i, w := range s.line[:s.waiting] {
		if w.client == o.client {
			at = i
		}
	}
	if at < 0 {
		return false
	}
	head := at == 0 && r.has(s.levels, int(o.tokens), true, 0)
	barred := o.asks && r.breaker != nil && !r.lets(s)
	ok := false
	switch o.result {
	case canceled:
		ok = !d.late || head && !barred
	case granted:
		ok = head && !barred
	case open: // it opened while the caller waited, or had no place for another probe when the turn came
		ok = barred && (head || s.circuit.state == breaker.Open)
	}
	waited := int(s.line[at].since) < s.now && !s.moved && r.has(s.levels, int(o.tokens), true, 1)
	copy(s.line[at:], s.line[at+1:s.waiting])
	s.waiting--
	s.line[s.waiting] = waiter{}
	s.moved = s.waiting > 0 && (s.moved || at == 0 && o.result != granted && !d.late)
	if d.late {
		ok = ok && r.tooLate(s, o, waited, d)
	}
	r.gone(s, o)
	return ok && (o.result != granted || r.grant(s, o, waited))
}

// wanted are the tokens that those who wait ask for.
func (s *state) wanted() (n int) {
	for _, w := range s.line[:s.waiting] {
		n += int(w.tokens)
	}
	return n
}

// wait is how long it is until n tokens are there behind all that wait, served one by one at the first instant from now on.
func (r *rules) wait(s *state, n int8) (ticks int) {
	ahead := *s
	for i := range ahead.waiting + 1 {
		w := n
		if i < ahead.waiting {
			w = ahead.line[i].tokens
		}
		for !r.has(ahead.levels, int(w), true, 0) {
			r.flow(&ahead, 1)
			ticks++
		}
		r.take(&ahead.levels, int(w))
	}
	return ticks
}

// doomed reports whether a call may be told that it would wait for too long. What is left of its context is looked at before the
// decision, at the time of the call or later.
func (r *rules) doomed(s *state, o *operation) bool {
	wait := r.wait(s, o.tokens)
	return r.maxWait > 0 && wait > r.maxWait || o.patience > 0 && s.now+wait > o.floor+int(o.patience)
}

// viable reports whether a call may wait. When the head of the queue could have been served, but its turn has not come yet, the
// engine reckons as if it had.
func (r *rules) viable(s *state, o *operation) bool {
	if s.waiting > 0 && r.has(s.levels, int(s.line[0].tokens), true, 0) {
		return true
	}
	wait := r.wait(s, o.tokens)
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
