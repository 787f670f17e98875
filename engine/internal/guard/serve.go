package guard

import (
	"slices"
	"time"

	"github.com/limitpal/limitpal-go/limiter"
)

// lateness is how late a timer may be without loss. The actor grants a waiter when the actor wakes,
// a moment after the waiter's tokens were there. The tokens count as taken at the instant at which
// they were there, so that the bucket gains in that moment too, and a queue gets the whole rate of
// its limit. The waiter was waiting at that instant, and was the next: the grant lies within the
// call, and no window of calls holds more than capacity + rate × time. If the process pauses for
// longer than lateness, the rest of the pause is lost, so that not all waiters go at once.
const lateness = int64(10 * time.Millisecond)

// serve grants the waiters, in turn, as far as the tokens are there, and returns the instant
// of the next grant. If the breaker is open, serve refuses every waiter that asked the breaker too.
// The breaker is asked again at grant time; its answer at enqueue time is ignored.
func (b *Behavior) serve(now int64, g *Gate, s *State) (wake int64) {
	q, p := s.queue, s.policy
	if until, err := s.isOpen(now); err != nil && q.asks() > 0 {
		b.refuseAsking(now, until, s, err)
	}
	for r := q.head(g, p); r != nil; r = q.head(g, p) {
		due := s.due(now, r)
		if due > now && !p.Shadow {
			b.refuseLate(now, s)
			if r == q.head(g, p) {
				return min(due, q.expires())
			}
			continue // the turn of another
		}
		at := max(due, q.moved, now-lateness)
		under := b.isUnder(now, s, r.under)
		if until, err := b.mayGo(now, at, s, r, under); err != nil {
			q.leave(r, now)
			r.refuse(err, b.earliest(now, s, &r.demand, until))
			continue
		}
		placed, ok := b.place(g, s, &r.demand)
		if !ok {
			if q.lineUp(r, now); g.await(p) { // a call has ended since
				g.leave()
			}
			continue
		}
		if !r.claim() {
			if placed && !Planted("a place that a cancelled waiter keeps") {
				g.leave()
			}
			q.leave(r, now)
			continue
		}
		a := b.grantWith(placed, now, max(at, p.begun(now)), g, s, &r.demand, under)
		q.granted(r)
		r.Answer(a)
	}
	if q.lined() > 0 {
		if b.refuseLate(now, s); q.lined() > 0 {
			return q.expires()
		}
	}
	s.queue = nil
	return Never
}

// begun returns the instant before which no grant at now may count, so that none counts in an earlier window.
func (p *Policy) begun(now int64) int64 {
	if !p.windows || Planted("a late grant that counts in the window before") {
		return 0
	}
	return p.Limits.Begun(now)
}

// due returns the instant from which the tokens of r, the next waiter, are there.
func (s *State) due(now int64, r *Request) int64 {
	since := r.since
	if r.lined { // the tokens may have been there for long, and the place was not
		since = now
	}
	if s.policy.Limited(&r.demand) {
		return s.policy.Limits.Ready(s.fullAts, since, r.demand.Tokens, limiter.Queued)
	}
	return since
}

// mayGo returns the reason why r, whose tokens are there from the instant at on, is refused, and the
// instant until which r is refused; or nil.
func (b *Behavior) mayGo(now, at int64, s *State, r *Request, under bool) (until int64, reason error) {
	if r.demand.Breaker && !under && !Planted("a breaker that is not asked at the grant") {
		if until, err := s.lets(now); err != nil {
			return until, err
		}
	}
	if s.queue.shared && at >= r.until {
		return now, r.late()
	}
	return 0, nil
}

// expires returns the first instant from which a waiter has waited for longer than it may. Where there was
// one row all the time, no waiter waits longer than was foreseen when it came.
func (q *queue) expires() int64 {
	var at int64 = Never
	if q.lined() > 0 {
		at = q.line.expires()
	}
	if q.shared {
		for _, w := range q.rows {
			at = min(at, w.firstOut().until)
		}
	}
	return at
}

// refuseLate refuses the waiters that have waited for as long as they may.
func (b *Behavior) refuseLate(now int64, s *State) {
	q := s.queue
	if q.lined() > 0 {
		q.line.eachLate(now, func(r *Request) { b.refuseOne(now, s, r) })
	}
	q.eachLate(now, func(r *Request) { b.refuseOne(now, s, r) })
}

// eachLate calls refuse, which takes its argument out, for the waiters in rows that have waited for as long as they may.
func (q *queue) eachLate(now int64, refuse func(*Request)) {
	for q.shared {
		i := slices.IndexFunc(q.rows, func(w *row) bool { return w.firstOut().until <= now })
		if i < 0 {
			return
		}
		refuse(q.rows[i].firstOut())
	}
}

// refuseOne refuses r, which has waited for as long as it may.
func (b *Behavior) refuseOne(now int64, s *State, r *Request) {
	reason, at := r.late(), int64(0)
	s.queue.leave(r, now)
	if reason == limiter.ErrLimited { //nolint:errorlint // never wrapped
		at = b.earliest(now, s, &r.demand, now)
	}
	r.refuse(reason, at)
}

// late is the reason to refuse r because it has waited for as long as it may.
func (r *Request) late() error {
	if r.lined {
		return limiter.ErrInFlight
	}
	return limiter.ErrLimited
}

// refuseAsking refuses every waiter that asked the breaker; the breaker is open until openUntil for a reason.
func (b *Behavior) refuseAsking(now, openUntil int64, s *State, reason error) {
	var refused []*Request
	for _, r := range s.queue.all() {
		if r.demand.Breaker {
			s.queue.leave(r, now)
			refused = append(refused, r)
		}
	}
	for _, r := range refused {
		r.refuse(reason, b.earliest(now, s, &r.demand, openUntil))
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
		q.leave(r, q.moved)
		r.fail(err)
	}
}

// fail answers r, which may have been claimed already, unless its caller has left.
func (r *Request) fail(err error) {
	if r.Claim() || !r.Left() {
		r.Answer(Answer{Err: err})
	}
}
