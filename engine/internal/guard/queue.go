package guard

import (
	"slices"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// queue is the callers that wait for the limits of one key, first come, first served. The queue
// belongs to the key's actor. A waiter that leaves frees its slot at once, so that every waiter
// behind it moves up.
type queue struct {
	slots   []*Request // nil where a waiter has left; Request.position is the index
	first   int        // no waiter is in a slot before first
	waiters int
	asking  int      // waiters that ask the breaker too
	tokens  int64    // that the waiters ask for together
	moved   int64    // the last instant at which the head left without a grant
	effects *effects // of the waiters; nil for one limit
	scratch []int64  // for tail: an instant and the full-ats, twice
}

// newQueue returns an empty queue.
func (b *Behavior) newQueue() *queue {
	if q, ok := b.queues.Get().(*queue); ok {
		q.moved = 0
		return q
	}
	limits := b.policy.Limits
	q := &queue{scratch: make([]int64, 2*(len(limits)+1))}
	if len(limits) > 1 {
		q.effects = &effects{limits: limits}
	}
	return q
}

// push puts the request of m at the end, at now.
func (q *queue) push(m *Message, now int64) {
	r := m.Request
	r.demand, r.under, r.stays, r.since = m.Demand, m.Permit, m.Stays, now
	r.position, r.queued = len(q.slots), true
	q.slots = append(q.slots, r)
	q.count(r, 1)
}

// count takes note that r has come (more is 1) or has left (more is -1).
func (q *queue) count(r *Request, more int) {
	q.waiters += more
	if more < 0 && Planted("a waiter that has left and stands in the way") {
		return
	}
	q.tokens += int64(more) * r.demand.Tokens
	if r.demand.Breaker {
		q.asking += more
	}
	if q.effects != nil {
		q.effects.changed(r.position)
	}
}

// leave takes r out, which leaves at now without a grant.
func (q *queue) leave(r *Request, now int64) {
	if r == q.head() && !Planted("a wait counted for a waiter behind") {
		q.moved = now
	}
	q.remove(r)
}

// remove takes r out of any slot.
func (q *queue) remove(r *Request) {
	q.slots[r.position] = nil
	r.queued = false
	q.count(r, -1)
	if len(q.slots) > 2*q.waiters+16 {
		q.closeUp()
	}
}

// closeUp closes the gaps, so that a queue in which waiters come and leave does not grow for ever.
func (q *queue) closeUp() {
	n := 0
	for _, r := range q.slots {
		if r != nil {
			q.slots[n] = r
			r.position = n
			n++
		}
	}
	clear(q.slots[n:])
	q.slots, q.first = q.slots[:n], 0
	if q.effects != nil {
		q.effects.moved()
	}
}

// head returns the first waiter, or nil.
func (q *queue) head() *Request {
	for ; q.first < len(q.slots); q.first++ {
		if r := q.slots[q.first]; r != nil {
			return r
		}
	}
	q.slots, q.first = q.slots[:0], 0
	return nil
}

// all returns the waiters, in order.
func (q *queue) all() []*Request {
	return slices.DeleteFunc(slices.Clone(q.slots), func(r *Request) bool { return r == nil })
}

// tail returns the full-ats behind the waiters: as they will be when every waiter has been granted
// its tokens at the first instant from now on. The slice is valid until the next call.
func (q *queue) tail(limits limiter.Limits, fullAts []int64, now int64) []int64 {
	from, to := q.scratch[:len(limits)+1], q.scratch[len(limits)+1:]
	if q.effects == nil {
		limits.Behind(to[1:], fullAts, q.tokens)
		return to[1:]
	}
	from[0] = now
	copy(from[1:], fullAts)
	q.effects.of(q.slots).Apply(to, from)
	return to[1:]
}

// lateness is how late a timer may be without loss. The actor grants a waiter when the actor wakes,
// a moment after the waiter's tokens were there. The tokens count as taken at the instant at which
// they were there, so that the bucket gains in that moment too, and a queue gets the whole rate of
// its limit. The waiter was waiting at that instant, and was the head: the grant lies within the
// call, and no window of calls holds more than capacity + rate × time. If the process pauses for
// longer than lateness, the rest of the pause is lost, so that not all waiters go at once.
const lateness = int64(10 * time.Millisecond)

// serve grants the waiters, the head first, as far as the tokens are there, and returns the instant
// of the next grant. If the breaker is open, serve refuses every waiter that asked the breaker too.
// The breaker is asked again at grant time; its answer at enqueue time is ignored.
func (b *Behavior) serve(now int64, s *State) (wake int64) {
	q, p := s.queue, b.policy
	if state, _, openFor := s.circuit.Look(p.rules, now); state == breaker.Open && q.asking > 0 {
		b.refuseAsking(now, now+openFor, s)
	}
	for r := q.head(); r != nil; r = q.head() {
		due := p.Limits.Ready(s.fullAts, r.since, r.demand.Tokens, limiter.Queued)
		if due > now {
			return due
		}
		under := b.isUnder(now, s, r.under)
		if r.demand.Breaker && !under && !Planted("a breaker that is not asked at the grant") {
			if at := s.circuit.Ready(p.rules, now); at > now {
				q.leave(r, now)
				r.refuse(breaker.ErrOpen, max(at, b.readyBehind(now, s, r.demand.Tokens, limiter.Queued)))
				continue
			}
		}
		if !r.claim() {
			q.leave(r, now)
			continue
		}
		a := b.grant(now, max(due, q.moved, now-lateness), s, &r.demand, under)
		q.remove(r)
		r.Answer(a)
	}
	s.queue = nil
	return Never
}

// refuseAsking refuses every waiter that asked the breaker; the breaker is open until openUntil.
func (b *Behavior) refuseAsking(now, openUntil int64, s *State) {
	var refused []*Request
	for _, r := range s.queue.all() {
		if r.demand.Breaker {
			s.queue.leave(r, now)
			refused = append(refused, r)
		}
	}
	for _, r := range refused {
		r.refuse(breaker.ErrOpen, max(openUntil, b.readyBehind(now, s, r.demand.Tokens, limiter.Queued)))
	}
}

// refuse answers r, which is out of the queue, unless its caller has left.
func (r *Request) refuse(err error, at int64) {
	if r.claim() {
		r.Answer(Answer{Err: err, At: at})
	}
}

// refuseAll answers every waiter with err, claimed or not.
func (q *queue) refuseAll(err error) {
	for _, r := range q.all() {
		q.remove(r)
		r.fail(err)
	}
}

// fail answers r, which may have been claimed already, unless its caller has left.
func (r *Request) fail(err error) {
	if r.Claim() || !r.Left() {
		r.Answer(Answer{Err: err})
	}
}
