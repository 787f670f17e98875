package engine

import (
	"slices"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// from is the row in which c waits.
func (c *caller) from() int {
	for i, link := range c.links {
		if link == c && i > 0 {
			narrow := c.links[i-1]
			return narrow.w.number*mostNames + narrow.key
		}
	}
	return plainRow
}

// soonest is the first instant at which a call in the row from may have n tokens: in the only row the
// exact one, and else one that is not too late.
func (w *world) soonestIn(st *site, from int, now, n int64) int64 {
	a := st.account
	if st.exact(from) {
		return w.behind(a, st.queue, now, n)
	}
	ahead, at := st.ahead(from), now
	for i := range w.limits {
		l := &w.limits[i]
		at = max(at, l.ready(guard.Later(a.buckets[i].full, l.time(ahead)), n, true))
	}
	return at
}

// passes is the instant from at on from which the key lets a call for d pass, behind all that wait, if
// nothing else comes.
func (w *world) passes(st *site, now, at, n int64, turn, asks bool) int64 {
	a := st.account
	at = max(at, now)
	if n > 0 && len(w.limits) > 0 {
		at = max(at, w.passesBehind(a, st.rowByRow(), now, n, turn))
	}
	return w.earliest(a, at, asks)
}

// forget takes a caller that has left out of the queue or the line.
func (w *world) forget(st *site, r *guard.Request) {
	for _, v := range []*naiveQueue{&st.line, &st.naiveQueue} {
		if i := v.index(r); i >= 0 {
			w.leave(st, v, i)
			return
		}
	}
}

// leave is dequeue for a waiter that goes without tokens.
func (w *world) leave(st *site, v *naiveQueue, i int) {
	if v == &st.line || i == st.next() {
		st.moved = w.turning.now
	}
	v.dequeue(i)
}

// refuse is leave for a waiter that is to be refused.
func (w *world) refuse(st *site, v *naiveQueue, i int, err error, at int64) {
	q := v.queue[i]
	w.leave(st, v, i)
	if !q.req.Left() {
		w.expect(q.who, expectation{err: err, at: w.passes(st, w.turning.now, at, q.n, true, q.breaker)})
	}
}

// head is the waiter that is served next: the first of the line, if a place is free.
func (w *world) head(st *site) (v *naiveQueue, i int) {
	switch {
	case len(st.line.queue) > 0 && w.hasPlace(st):
		return &st.line, st.line.next()
	case len(st.queue) > 0:
		return &st.naiveQueue, st.next()
	default:
		return nil, 0
	}
}

// expectServed has the queue served: the line first, then the rows in turn, and in a row first come, first served.
func (w *world) expectServed(st *site, a *account) {
	now := w.turning.now
	if st.waits() > 0 {
		if at := w.probeReady(&a.circuit, now); at > now && a.circuit.state == breaker.Open {
			w.refuseAsking(st, at)
		}
	}
	for v, i := w.head(st); v != nil; v, i = w.head(st) {
		q := v.queue[i]
		lined := v == &st.line
		if lined {
			q.since = now // the place was not there
		}
		if a.ready(now, q.n, true) > now && !w.shadow {
			w.refuseLate(st)
			if v, i = w.head(st); v == nil || v.queue[i].req == q.req {
				break
			}
			continue
		}
		w.expectTurn(st, a, v, i, &q)
	}
	if len(st.line.queue) > 0 {
		w.refuseLate(st)
	}
	st.emptied()
}

// expectTurn is the end of the turn of q, the waiter i of v, whose tokens are there.
func (w *world) expectTurn(st *site, a *account, v *naiveQueue, i int, q *waiter) {
	now, lined := w.turning.now, v == &st.line
	under := q.breaker && w.holds(&a.circuit, now, q.under)
	if at := w.probeReady(&a.circuit, now); q.breaker && !under && at > now {
		w.refuse(st, v, i, a.circuit.whyOpen(), at)
		return
	}
	due := w.reckoned(st, a, q)
	// The tokens may have been there in time, although another row, whose caller came later, has its turn first.
	there := a.ready(max(q.since, st.moved, now-int64(10*time.Millisecond)), q.n, true)
	if st.rows.shared && there >= q.until {
		w.refuse(st, v, i, tooLate(lined), now)
		return
	}
	placed := w.placedBy(q)
	switch {
	case placed && !w.hasPlace(st):
		w.leave(st, v, i)
		st.lineUp(*q)
	case q.req.Left():
		w.leave(st, v, i)
	default:
		w.expectGrant(a, q.who, grant{due: due, n: q.n, asked: q.breaker && !q.split, under: under, turn: true, placed: placed})
		v.served(i)
	}
}

// refuseAsking refuses all that ask the breaker, which is open until at.
func (w *world) refuseAsking(st *site, at int64) {
	var refused []waiter
	for _, q := range slices.Concat(st.line.rowByRow(), st.rowByRow()) {
		if q.breaker {
			w.forget(st, q.req)
			refused = append(refused, q)
		}
	}
	for _, q := range refused {
		if !q.req.Left() {
			w.expect(q.who, expectation{err: st.account.circuit.whyOpen(), at: w.passes(st, w.turning.now, at, q.n, true, true)})
		}
	}
}

// refuseLate refuses those that have waited for as long as they may: in the line, and in a queue that has had several rows.
func (w *world) refuseLate(st *site) {
	for i := st.line.late(w.turning.now); i >= 0; i = st.line.late(w.turning.now) {
		q := st.line.queue[i]
		if w.leave(st, &st.line, i); !q.req.Left() {
			w.expect(q.who, expectation{err: limiter.ErrInFlight})
		}
	}
	for i := st.late(w.turning.now); i >= 0; i = st.late(w.turning.now) {
		w.refuse(st, &st.naiveQueue, i, limiter.ErrLimited, w.turning.now)
	}
}
