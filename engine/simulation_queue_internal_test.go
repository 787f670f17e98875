package engine

import (
	"slices"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// waiter is a caller in the queue.
type waiter struct {
	req     *guard.Request
	who     *caller
	n       int64
	since   int64
	until   int64 // the instant from which a grant is too late, if the queue has had several rows
	breaker bool
	split   bool // the permit is asked for later
	under   naiveProbe
	from    int // the row
}

// What is no number of a row.
const (
	plainRow = -1 // the row of the calls that came through no narrower key
	noRow    = -2
)

// rows is the order in which the rows of a queue take turns.
type rows struct {
	order  []int // those with waiters; the first is served next
	last   int   // the row that was served last or, before, the one that began the queue
	begun  bool
	shared bool // there have been several since the queue began
}

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

// enqueue puts q at the end of its row. A row that gets its first waiter is the last of the round, unless
// the row that was served last would then be served again.
func (st *site) enqueue(q waiter) {
	st.queue = append(st.queue, q)
	r := &st.rows
	switch {
	case slices.Contains(r.order, q.from):
		return
	case len(r.order) == 0:
		if !r.begun {
			r.last, r.begun = q.from, true
		}
		r.order = append(r.order, q.from)
		return
	case r.order[0] == r.last:
		r.order = slices.Insert(r.order, 0, q.from)
	default:
		r.order = append(r.order, q.from)
	}
	r.shared = true
}

// dequeue takes the waiter i out, that leaves now with or without tokens.
func (st *site) dequeue(i int) {
	from := st.queue[i].from
	st.queue = append(st.queue[:i], st.queue[i+1:]...)
	if st.inRow(from) == 0 {
		at := slices.Index(st.rows.order, from)
		st.rows.order = slices.Delete(st.rows.order, at, at+1)
		if from == st.rows.last && from != plainRow {
			st.rows.last = noRow // if it comes back, it is another row
		}
	}
}

// served is dequeue for the next waiter, who has got its tokens: the row has had its turn.
func (st *site) served(i int) {
	r := &st.rows
	r.last = st.queue[i].from
	st.dequeue(i)
	if len(r.order) > 1 && r.order[0] == r.last {
		copy(r.order, r.order[1:])
		r.order[len(r.order)-1] = r.last
	}
}

// emptied begins another queue, if nobody is in this one.
func (st *site) emptied() {
	if len(st.queue) == 0 {
		st.rows = rows{order: st.rows.order[:0]}
	}
}

// inRow is how many wait in a row.
func (st *site) inRow(from int) (n int) {
	for i := range st.queue {
		if st.queue[i].from == from {
			n++
		}
	}
	return n
}

// next is the index of the waiter that is served next.
func (st *site) next() int {
	if len(st.rows.order) < 2 {
		return 0
	}
	return slices.IndexFunc(st.queue, func(q waiter) bool { return q.from == st.rows.order[0] })
}

// rowByRow is the waiters in the order of the rows.
func (st *site) rowByRow() []waiter {
	if len(st.rows.order) < 2 {
		return st.queue
	}
	var all []waiter
	for _, from := range st.rows.order {
		for _, q := range st.queue {
			if q.from == from {
				all = append(all, q)
			}
		}
	}
	return all
}

// exact reports whether a call in the row from knows when it has its tokens, if nobody leaves.
func (st *site) exact(from int) bool {
	return len(st.queue) == 0 || len(st.rows.order) == 1 && st.rows.order[0] == from
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

// ahead is the tokens that are sure to go before those of a call in the row from. While a row has waiters,
// every other row is served at most once before it.
func (st *site) ahead(from int) (tokens int64) {
	before, place := st.inRow(from), slices.Index(st.rows.order, from)
	if place < 0 {
		place = len(st.rows.order)
		if st.rows.order[0] == st.rows.last {
			place = 0
		}
	}
	for i, row := range st.rows.order {
		turns := before
		if i < place {
			turns++
		}
		n, all := int64(st.inRow(row)), int64(0)
		for j := range st.queue {
			if st.queue[j].from == row {
				all += st.queue[j].n
			}
		}
		if row == from || n <= int64(turns) {
			tokens += all
		} else {
			tokens += int64(turns)
		}
	}
	return tokens
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

// forget takes a caller that has left out of the queue.
func (w *world) forget(st *site, r *guard.Request) {
	for i := range st.queue {
		if st.queue[i].req == r {
			w.leave(st, i)
			return
		}
	}
}

// leave is dequeue for a waiter that goes without tokens.
func (w *world) leave(st *site, i int) {
	if i == st.next() {
		st.moved = w.turning.now
	}
	st.dequeue(i)
}

// refuse is leave for a waiter that is to be refused.
func (w *world) refuse(st *site, i int, err error, at int64) {
	q := st.queue[i]
	w.leave(st, i)
	if !q.req.Left() {
		w.expect(q.who, expectation{err: err, at: w.passes(st, w.turning.now, at, q.n, true, q.breaker)})
	}
}

// expectServed has the queue served: the rows in turn, and in a row first come, first served.
func (w *world) expectServed(st *site, a *account) {
	now := w.turning.now
	if len(st.queue) > 0 {
		if at := w.probeReady(&a.circuit, now); at > now && a.circuit.state == breaker.Open {
			w.refuseAsking(st, at)
		}
	}
	for len(st.queue) > 0 {
		i := st.next()
		q := st.queue[i]
		if a.ready(now, q.n, true) > now {
			if w.refuseLate(st); len(st.queue) == 0 || st.queue[st.next()].req == q.req {
				break
			}
			continue
		}
		under := q.breaker && w.holds(&a.circuit, now, q.under)
		if at := w.probeReady(&a.circuit, now); q.breaker && !under && at > now {
			w.refuse(st, i, a.circuit.whyOpen(), at)
			continue
		}
		due := w.reckoned(st, a, &q)
		// The tokens may have been there in time, although another row, whose caller came later, has its turn first.
		there := a.ready(max(q.since, st.moved, now-int64(10*time.Millisecond)), q.n, true)
		if st.rows.shared && there >= q.until {
			w.refuse(st, i, limiter.ErrLimited, now)
			continue
		}
		if q.req.Left() {
			w.leave(st, i)
			continue
		}
		w.expectGrant(a, q.who, due, q.n, q.breaker && !q.split, under, true)
		st.served(i)
	}
	st.emptied()
}

// refuseAsking refuses all that ask the breaker, which is open until at.
func (w *world) refuseAsking(st *site, at int64) {
	var refused []waiter
	for _, q := range slices.Clone(st.rowByRow()) {
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

// refuseLate refuses those that have waited for as long as they may, in a queue that has had several rows.
func (w *world) refuseLate(st *site) {
	for again := st.rows.shared; again; {
		again = false
		for _, from := range st.rows.order {
			first := -1
			for i := range st.queue {
				if q := &st.queue[i]; q.from == from && (first < 0 || q.until < st.queue[first].until) {
					first = i
				}
			}
			if st.queue[first].until <= w.turning.now {
				w.refuse(st, first, limiter.ErrLimited, w.turning.now)
				again = true
				break
			}
		}
	}
}
