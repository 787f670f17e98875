package engine

import (
	"slices"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// line is the queue of one key: the callers that wait for the limiter, first come, first served. It belongs to the key's
// actor. A caller that leaves frees its slot at once, so that everyone behind it moves up.
type line struct {
	slots   []*request // nil where a caller has left; request.position is the index
	first   int        // nobody waits in slots before this one
	waiting int        // callers
	asking  int        // of which ask the breaker too
	tokens  int64      // that they ask for together
	moved   int64      // when the first in the line last left without a grant
	effects *effects   // of the callers; nil for one limit
	scratch []int64    // for tail: an instant and the words, twice
}

// newLine returns an empty line.
func (k *keeper) newLine() *line {
	if l, ok := k.lines.Get().(*line); ok {
		l.moved = 0
		return l
	}
	l := &line{scratch: make([]int64, 2*(len(k.limits)+1))}
	if len(k.limits) > 1 {
		l.effects = &effects{limits: k.limits}
	}
	return l
}

// push puts m's request at the end, at now.
func (l *line) push(m *message, now int64) {
	r := m.req
	r.n, r.breaker, r.under, r.stays, r.since = m.n, m.breaker, m.permit, m.stays, now
	r.position, r.queued = len(l.slots), true
	l.slots = append(l.slots, r)
	l.count(r, 1)
}

// count takes note that r has come, or has gone: that there are so many more.
func (l *line) count(r *request, more int) {
	l.waiting += more
	l.tokens += int64(more) * r.n
	if r.breaker {
		l.asking += more
	}
	if l.effects != nil {
		l.effects.changed(r.position)
	}
}

// leave takes out r, which goes at now without a grant.
func (l *line) leave(r *request, now int64) {
	if r == l.head() {
		l.moved = now
	}
	l.remove(r)
}

// remove takes r out, wherever it stands.
func (l *line) remove(r *request) {
	l.slots[r.position] = nil
	r.queued = false
	l.count(r, -1)
	if len(l.slots) > 2*l.waiting+16 {
		l.closeUp()
	}
}

// closeUp closes the gaps, so that a line in which callers come and leave does not grow for ever.
func (l *line) closeUp() {
	n := 0
	for _, r := range l.slots {
		if r != nil {
			l.slots[n] = r
			r.position = n
			n++
		}
	}
	clear(l.slots[n:])
	l.slots, l.first = l.slots[:n], 0
	if l.effects != nil {
		l.effects.moved()
	}
}

// head is the first that waits; nil when nobody does.
func (l *line) head() *request {
	for ; l.first < len(l.slots); l.first++ {
		if r := l.slots[l.first]; r != nil {
			return r
		}
	}
	l.slots, l.first = l.slots[:0], 0
	return nil
}

// all are those that wait, in order.
func (l *line) all() []*request {
	return slices.DeleteFunc(slices.Clone(l.slots), func(r *request) bool { return r == nil })
}

// tail are the words as they will be when all that wait have been served, each at the first instant from now on. It is valid until the
// next call.
func (l *line) tail(limits limiter.Limits, words []int64, now int64) []int64 {
	from, to := l.scratch[:len(limits)+1], l.scratch[len(limits)+1:]
	if l.effects == nil {
		limits.Behind(to[1:], words, l.tokens)
		return to[1:]
	}
	from[0] = now
	copy(from[1:], words)
	l.effects.of(l.slots).Apply(to, from)
	return to[1:]
}

// lateness is how late a timer may be without loss. The actor grants a waiting caller when the actor
// wakes, a moment after the caller's tokens were there. The tokens count as taken when they were there, so
// that the bucket gains in that moment too and a queue gets the whole rate of its limit. The caller was
// waiting then, and was the first: the grant lies within the call, and no window of calls holds more than
// capacity + rate × time. If the process pauses for longer than lateness, the rest of the pause is lost,
// so that not all waiting callers go at once.
const lateness = int64(10 * time.Millisecond)

// serve grants the callers in the line, the first one first, as far as their tokens are there, and returns
// the instant of the next grant. If the breaker is open, serve refuses every caller that asked for the
// breaker too. The breaker is asked again at the grant; its answer at enqueue time is ignored.
func (k *keeper) serve(now int64, s *state) (wake int64) {
	l := s.line
	if state, _, openFor := s.circuit.Look(k.rules, now); state == breaker.Open && l.asking > 0 {
		var refused []*request
		for _, r := range l.all() {
			if r.breaker {
				l.leave(r, now)
				refused = append(refused, r)
			}
		}
		for _, r := range refused {
			k.turnAway(r, answer{err: breaker.ErrOpen, at: max(now+openFor, k.readyBehind(now, s, r.n, limiter.Turn))})
		}
	}
	for r := l.head(); r != nil; r = l.head() {
		due := k.limits.Ready(s.words, r.since, r.n, limiter.Turn)
		if due > now {
			return due
		}
		under := k.isUnder(now, s, r.under)
		if r.breaker && !under {
			if at := s.circuit.Ready(k.rules, now); at > now {
				l.leave(r, now)
				k.turnAway(r, answer{err: breaker.ErrOpen, at: max(at, k.readyBehind(now, s, r.n, limiter.Turn))})
				continue
			}
		}
		if !r.claim() {
			l.leave(r, now)
			continue
		}
		a := k.grant(now, max(due, l.moved, now-lateness), s, r.n, r.breaker, under)
		l.remove(r)
		r.Answer(a)
	}
	s.line = nil
	return actors.Never
}

// turnAway refuses r, which is out of the line, unless its caller has left.
func (k *keeper) turnAway(r *request, a answer) {
	if r.claim() {
		r.Answer(a)
	}
}
