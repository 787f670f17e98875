package engine

import (
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// waits is how many wait at a cell, for tokens or for a place.
func (st *site) waits() int { return len(st.queue) + len(st.line.queue) }

// emptied begins another queue, if nobody waits.
func (st *site) emptied() {
	if st.waits() == 0 {
		st.clear()
		st.line.clear()
	}
}

// drop takes a waiter out of the queue or the line.
func (st *site) drop(r *guard.Request) {
	for _, v := range []*naiveQueue{&st.line, &st.naiveQueue} {
		if i := v.index(r); i >= 0 {
			v.dequeue(i)
			return
		}
	}
}

// lineUp puts q at the end of the line. From then on nobody is sure of the wait that was foreseen.
func (st *site) lineUp(q waiter) {
	st.rows.shared = true
	st.line.enqueue(q)
	st.line.rows.shared = true
	st.account.version++
}

// tooLate is why a waiter is refused that has waited for as long as it may.
func tooLate(lined bool) error {
	if lined {
		return limiter.ErrInFlight
	}
	return limiter.ErrLimited
}

// placedBy reports whether a waiter takes a place when it is let through.
func (w *world) placedBy(q *waiter) bool { return w.rules.places > 0 && q.breaker && !q.split }

// hasPlace reports whether a place is free, by the rules in force.
func (w *world) hasPlace(st *site) bool { return w.rules.places == 0 || st.inside < w.rules.places }

// mayLineUp is why a demand of who may not wait for a place, or nil.
func (w *world) mayLineUp(st *site, who *caller, d *guard.Demand) error {
	switch {
	case d.Stay < 0 || w.maxWait < 0 || w.shadow:
		return limiter.ErrInFlight
	case st.inRow(who.from())+st.line.inRow(who.from()) >= w.maxQueue:
		return ErrQueueFull
	}
	return nil
}

// expectAdmission is the rest of the decision on m, whose tokens are there at the instant due: the place, if m takes one.
func (w *world) expectAdmission(st *site, m *guard.Message, under bool, due int64) {
	who, d := w.turning.who, &m.Demand
	q := w.came(m)
	placed := w.placedBy(&q)
	if placed && (len(st.line.queue) > 0 || !w.hasPlace(st)) {
		if err := w.mayLineUp(st, who, d); err != nil {
			w.expect(who, expectation{err: err})
			return
		}
		who.checkPlaceless(true)
		st.lineUp(q)
		return
	}
	w.expectGrant(st.account, who, grant{due: due, n: d.Tokens, asked: d.Breaker && !d.Split, under: under, turn: bool(d.Mode), placed: placed})
}
