package engine

import (
	"errors"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// asks reports whether c waits for an answer of the actor of st.
func (st *site) asks(w *world, c *caller) bool {
	return c.pending && c.account == st.account && !c.req.Left() && w.askers[c.req] == c
}

// peek returns the answer that c is about to receive.
func (c *caller) peek() guard.Answer {
	a := <-c.req.Answered()
	c.req.Answers() <- a
	return a
}

// take notes the answer that c is about to receive.
func (c *caller) take(a guard.Answer) {
	c.pending, c.told, c.toldErr = false, true, a.Err
	switch m := &c.message; m.Kind {
	case guard.Ask:
		if c.reason = a.Err; c.asks && !m.Demand.Breaker { // it has its permit, with its place
			return
		}
		c.answer, c.answered, c.cell, c.permitted = a, true, c.account.site, !m.Demand.Split
	case guard.Look:
		if m.Request.After < 0 { // and not one after the refusal, for the time to come back
			c.reason = a.Err
		}
	}
}

// collect compares the answers of a turn with those expected, one by one, and finds those that
// nobody expected.
func (w *world) collect(st *site) {
	t := w.turning
	for id, c := range w.people[:] {
		expected := t.answers>>id&1 != 0
		if !st.asks(w, c) {
			if expected && !(c.pending && c.req.Left()) {
				w.fail("caller %d is to be answered and does not wait", id)
			}
			continue
		}
		if !expected {
			if len(c.req.Answered()) > 0 {
				a := c.peek()
				w.fail("caller %d was answered %v, at %d, and should not have been", id, a.Err, a.At)
			}
			continue
		}
		e := &t.expected[id]
		if len(c.req.Answered()) == 0 {
			w.fail("caller %d was not answered, and should have been: %v, at %d", id, e.err, e.at)
		}
		a := c.peek()
		w.note(10, id, a.At^int64(a.Permit.Generation))
		if a.Err != e.err || a.At != e.at || a.Permit.Lease != e.lease || a.Under != e.under || a.Placed != e.placed || a.Rough != e.rough {
			w.fail("caller %d was answered %v, at %d, lease %d, place %t, and should have been: %v, at %d, lease %d, place %t; the turn is at %d",
				id, a.Err, a.At, a.Permit.Lease, a.Placed, e.err, e.at, e.lease, e.placed, t.now)
		}
		if !c.looks() {
			c.seen, c.decided = e.version, t.now
		}
		if c.message.Kind == guard.Ask {
			c.since, c.waited = t.now, c.waited+max(0, t.now-c.asked)
		}
		c.take(a)
	}
}

// collectFrom takes note of the answer of c to a message that had no turn.
func (w *world) collectFrom(c *caller) {
	if c.pending && len(c.req.Answered()) > 0 {
		w.note(11, c.id, 0)
		c.take(c.peek())
	}
}

// collectRefused takes note of the answers of an actor that refuses all.
func (w *world) collectRefused(st *site) {
	for _, c := range w.people[:] {
		if st.asks(w, c) && len(c.req.Answered()) > 0 {
			if a := c.peek(); a.Err == nil {
				w.fail("caller %d was granted something by an actor that refuses all", c.id)
			}
			w.collectFrom(c)
		}
	}
}

// collectGranted takes note of the grants and refusals that a turn had given before it panicked.
func (w *world) collectGranted(st *site) {
	for _, q := range st.line.queue {
		if !q.req.Left() && len(q.req.Answered()) > 0 {
			w.fail("caller %d was answered in the line by a turn that panicked", q.who.id)
		}
	}
	passedOver := false
	kept := st.queue[:0]
	for _, q := range st.queue {
		c := q.who
		if q.req.Left() || len(q.req.Answered()) == 0 {
			passedOver = passedOver || !q.req.Left()
			kept = append(kept, q)
			continue
		}
		a := c.peek()
		switch {
		case a.Err == nil && (passedOver && !st.rows.shared || q.breaker && !q.split):
			w.fail("caller %d was granted its turn out of order by a turn that panicked", c.id)
		case a.Err == nil:
			w.debitFor(c, st.account, w.reckoned(st, st.account, &q), q.n, true)
		case errors.Is(a.Err, breaker.ErrOpen) && q.breaker:
		default:
			w.fail("caller %d was answered %v by a turn that panicked", c.id, a.Err)
		}
		w.collectFrom(c)
	}
	st.queue = kept
}
