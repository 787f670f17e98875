package guard

import "github.com/limitpal/limitpal-go/limiter"

// lineUp puts r, which waits for nothing but a place at now, at the end of the line. From then on, nobody can be sure of
// the wait that was foreseen.
func (q *queue) lineUp(r *Request, now int64) {
	if q.line == nil {
		q.line = &queue{plain: newRow(Origin{}, nil), counters: q.counters}
	}
	if r.row != nil { // its turn in the queue is over
		q.leave(r, now)
	}
	q.shared, q.uneven, q.line.shared = true, true, true
	r.queued, r.lined, r.bounded = true, true, true
	q.line.push(nowhere, r)
}

// nowhere is the policy of rows of the line, which have no limits.
var nowhere = new(Policy)

// lined returns how many callers wait in the line.
func (q *queue) lined() int {
	if q == nil || q.line == nil {
		return 0
	}
	return q.line.waiters
}

// short returns how many callers wait for tokens.
func (q *queue) short() int {
	if q == nil {
		return 0
	}
	return q.waiters
}

// asks returns how many waiters ask the breaker too.
func (q *queue) asks() int {
	if q.line == nil {
		return q.asking
	}
	return q.asking + q.line.asking
}

// head returns the waiter that is served next, or nil: the head of the line, if a place is free.
func (q *queue) head(g *Gate, p *Policy) *Request {
	if q.lined() > 0 && g.free(p) {
		return q.line.next()
	}
	return q.next()
}

// inRow returns how many callers wait that have come through from.
func (q *queue) inRow(from *Origin) (n int) {
	if q == nil {
		return 0
	}
	if w := q.rowOf(from); w != nil {
		n = w.waiters
	}
	if q.line != nil {
		n += q.line.inRow(from)
	}
	return n
}

// placeFor takes a place for the request of m, unless others wait for one.
func (b *Behavior) placeFor(g *Gate, s *State, m *Message) (placed, ok bool) {
	switch {
	case s.queue.lined() > 0:
		return false, false
	case g.enter(s.policy):
		return true, true
	case b.mayLineUp(s, &m.Demand) != nil:
		return false, false
	default:
		ok = g.await(s.policy)
		return ok, ok
	}
}

// mayLineUp returns the reason why a call for d may not wait for a place, or nil.
func (b *Behavior) mayLineUp(s *State, d *Demand) error {
	switch p := s.policy; {
	case d.Stay < 0 || p.NoWait || p.Shadow:
		return limiter.ErrInFlight
	case s.queue.inRow(d.From) >= p.MaxQueue:
		return ErrQueueFull
	default:
		return nil
	}
}

// lineUp has the request of m wait for a place, or answers why it may not.
func (b *Behavior) lineUp(now int64, s *State, m *Message) (a Answer, answered bool) {
	if err := b.mayLineUp(s, &m.Demand); err != nil {
		return Answer{Err: err}, m.claim()
	}
	if s.queue == nil {
		s.queue = b.newQueue(s.policy)
	}
	s.queue.lineUp(s.queue.came(s.policy, m, now), now)
	m.queue = s.queue
	return Answer{}, false
}

// grantWith is grant for a caller that has a place, if placed. If the grant panics, nobody hears of the place, and it comes
// back.
func (b *Behavior) grantWith(placed bool, now, due int64, g *Gate, s *State, d *Demand, under bool) (a Answer) {
	if !placed {
		return b.grant(now, due, s, d, under)
	}
	defer func() {
		if !a.Placed && !Planted("a place that a grant keeps which panics") {
			g.leave()
		}
	}()
	a = b.grant(now, due, s, d, under)
	a.Placed = true
	return a
}

// place takes a place for d, if d takes one. ok is false if there is none.
func (b *Behavior) place(g *Gate, s *State, d *Demand) (placed, ok bool) {
	if !s.policy.TakesPlace(d) {
		return false, true
	}
	ok = g.enter(s.policy)
	return ok, ok
}
