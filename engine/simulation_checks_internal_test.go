package engine

import (
	"errors"
	"slices"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// settle looks at the gates of the person that goes on, before anybody else goes on: if full-at has
// moved, the person has taken its tokens.
func (u *universe) settle() {
	if u.who == nil || u.who.person == nil || u.violated != "" {
		return
	}
	if w := u.who.person.changing; w != nil {
		w.settleChange()
	}
	for _, c := range u.who.person.links {
		c.settle()
	}
}

// settle is that of one link.
func (c *caller) settle() {
	c.settleKept()
	if c.account == nil {
		return
	}
	if c.account.site != nil {
		c.settlePlaces()
		c.settleRates()
		c.settleGate()
	}
	c.settleShadow() // at last: it has got nothing
}

// settleGate looks at full-at.
func (c *caller) settleGate() {
	w, st := c.w, c.account.site
	fullAt := st.gate.FullAt()
	if fullAt == st.last || st.inTurn {
		return
	}
	last := st.last
	st.last = fullAt
	a := c.account
	b := a.atGate()
	if len(b.rules.limits) == 0 {
		return
	}
	if last >= 0 && fullAt >= 0 && fullAt < last {
		w.returned(c)
		w.compareFullAt(fullAt, b.buckets[0].full, w.reading())
		return
	}
	if c.charges > 0 {
		w.chargeFor(c, c.given)
		w.compareFullAt(fullAt, b.buckets[0].full, c.given)
		return
	}
	switch {
	case !c.deciding || c.passed:
		w.fail("caller %d has moved full-at, and asked for nothing", c.id)
	case b.rules.number < c.rules.number:
		w.fail("caller %d passed the gate by limits that had changed before its attempt began", c.id)
	case last < 0 || fullAt < 0:
		w.fail("caller %d has moved full-at from %d to %d", c.id, last, fullAt)
	case a.waits() > 0:
		w.fail("caller %d passed the gate, and overtook %d that wait", c.id, a.waits())
	case a.circuit.state != breaker.Closed:
		w.fail("caller %d passed the gate of a breaker that is %v", c.id, a.circuit.state)
	}
	c.passed, c.cell, c.answered = true, st, c.answered && c.answer.Err == nil
	at := c.tookAt(last, fullAt)
	w.debitFor(c, a, at, c.n, bool(c.mode))
	w.compareFullAt(fullAt, b.buckets[0].full, at)
}

// mayShare reports whether a gate may be shared.
func (w *world) mayShare() bool { return w.cfg.Dispatch == Published && len(w.limits) <= 1 }

// checkAdmitted is for an attempt that begins, or a caller that has its tokens.
func (w *world) checkAdmitted(c *caller) {
	switch {
	case c.answered && c.answer.Err != nil:
		w.fail("caller %d goes on, and was answered %v", c.id, c.answer.Err)
	case len(w.limits) > 0 && c.debit.account == nil && !c.wasUnlimited:
		w.fail("caller %d goes on, and has no tokens", c.id)
	case !c.wasClosed && !c.permitted && c.asks && !w.switchedSince(c.rules):
		w.fail("caller %d passed the gate of a breaker that was not closed", c.id)
	}
}

// checkRefused is for a refusal that no actor has given.
func (w *world) checkRefused(c *caller, r *Rejection) {
	if c.account.version != c.seen {
		c.seen = 0
	}
	switch {
	case errors.Is(r.Err, limiter.ErrLimited):
		if !c.anyShort() {
			w.fail("caller %d was refused %d tokens at the gate, and they were there all the time: %+v attempts %d", c.id, c.n, r, c.attempts)
		}
	case errors.Is(r.Err, breaker.ErrOpen):
		if c.wasOpen == 0 {
			w.fail("caller %d was refused at the gate by a breaker that was never open", c.id)
		}
	case errors.Is(r.Err, limiter.ErrExceedsCapacity):
		if !c.wasAbove {
			w.fail("caller %d was refused %d tokens for good, and the capacity was enough all the time", c.id, c.n)
		}
	case errors.Is(r.Err, limiter.ErrInFlight):
		if !c.wasFull {
			w.fail("caller %d was refused for want of a place, and one was free all the time", c.id)
		}
	case errors.Is(r.Err, ErrQueueFull):
		w.fail("caller %d was refused by a queue, and no actor said so", c.id)
	}
}

// checkSuccess is for a success of a call that was no probe: whether it is to be reported is for
// the gate of the cell that admitted the call to say.
func (w *world) checkSuccess(c *caller) {
	c.success = success{counts: true}
	switch st := c.account.site; {
	case c.account.circuit.rules.rated():
		c.succeeded()
	case st == nil || st != c.cell || c.looks(): // others may come before it is reported to all keys, or once for all
		c.may = true
	case st.gate.Reports():
		c.owes = true
	default:
		c.may = st.gate.Policy().Stale() // by the next policy it may count
		w.checkClean(st)
	}
}

// checkClean is for a success that is not counted: there must be nothing that it would change.
func (w *world) checkClean(st *site) {
	if c := &st.account.circuit; !c.forced && (c.state != breaker.Closed || c.row > 0) {
		w.fail("a success is not counted, and the breaker is %v with %d failures", c.state, c.row)
	}
}

// checkAfter compares what a turn left with the naive models.
func (w *world) checkAfter(st *site, s *guard.State, next actors.Next) {
	a, now := st.account, w.turning.now
	if a.stale || st.gate.Policy().Stale() {
		w.fail("a turn of %q is over, and its limits are old", st.name)
	}
	w.note(12, int(a.number), st.gate.FullAt())
	w.checkFullAt(st, s, now)
	wake := int64(actors.Never)
	if a.circuit.out > 0 {
		wake = a.circuit.ends[0]
	}
	if a.circuit.forced {
		wake = a.circuit.until
	}
	wake = min(wake, w.servesAt(st, now))
	if next.Wake > max(wake, now) {
		w.fail("the actor wakes at %d, and has something to do at %d", next.Wake, wake)
	}
	w.checkWaiters(st, s)
	w.checkPlaces(st)
	shared := st.gate.Shared()
	if shared && (st.waits() > 0 || a.circuit.state != breaker.Closed || a.circuit.forced || !w.mayShare()) {
		w.fail("the gate is shared, with %d callers in the queue and the breaker %v", st.waits(), a.circuit.state)
	}
	if !shared && w.mayShare() && st.waits() == 0 && a.circuit.state == breaker.Closed && !a.circuit.forced {
		w.fail("the gate is owned, with nobody in the queue and the breaker closed")
	}
	w.checkNotice(st, now)
	w.checkWindow(st, s, now)
}

// checkNotice compares the notice of a gate with the naive models.
func (w *world) checkNotice(st *site, now int64) {
	n, c := st.gate.Posted(), &st.account.circuit
	if n.Forced() != c.forced {
		w.fail("the notice says %t, and the breaker is forced: %t", n.Forced(), c.forced)
	}
	if !n.Refuses() {
		return
	}
	if c.state == breaker.Open && n.Until() != c.until || c.state != breaker.Open && n.Until() > now {
		w.fail("the notice refuses until %d, and the breaker is %v until %d", n.Until(), c.state, c.until)
	}
	if st.waits() > 0 {
		return // a waiter may be granted before
	}
	if at := st.account.ready(n.Until(), 1, true); c.state == breaker.Open && now < n.Until() && n.At() != max(at, n.Until()) {
		w.fail("the notice says to come back at %d, and breaker and limiter let a call pass at %d", n.At(), at)
	}
}

// checkSnapshot compares what Inspect showed with the expectation. The wait is left out: answers to
// asks show it.
func (w *world) checkSnapshot(c *caller, is Snapshot) {
	ought := &c.expected
	for i := range is.Limits {
		is.Limits[i].Wait = 0
	}
	if is.Breaker != ought.Breaker || is.Failures != ought.Failures || is.Window != ought.Window || is.OpenFor != ought.OpenFor || is.Forced != ought.Forced || is.Waiting != ought.Waiting || is.InFlight != ought.InFlight ||
		!slices.Equal(is.Limits, ought.Limits) {
		w.fail("the snapshot is %+v, and should be %+v", is, *ought)
	}
}

// checkGraves makes sure that nothing was written to a cell after it was retired.
func (w *world) checkGraves() {
	for _, st := range w.graves {
		if g := st.gate; !g.Retired() || g.Generation() != st.generation || g.Posted() != st.posted {
			w.fail("the cell of %q was written to after it had been retired", st.name)
		}
	}
}

// checkEvents makes sure that the events tell every change of a breaker's state: each begins where the one before of its key
// ended, and the last ones say which breakers are not closed now.
func (w *world) checkEvents() {
	states, forced, number := map[string]breaker.State{}, map[string]bool{}, map[breaker.State]int64{}
	last := w.eng.behavior.Events.Last()
	if last > guard.EventsKept {
		return // the first are forgotten
	}
	room := make([]guard.Event, last)
	_, n, _ := w.eng.behavior.Events.Read(1, room)
	for i, e := range room[:n] {
		if e.Kind > guard.Forced {
			continue // not of a breaker
		}
		byHand := e.Kind == guard.Forced || e.Kind == guard.Recovered && forced[e.Key]
		if was := states[e.Key]; e.From != was || e.To == was && !byHand || forced[e.Key] && !byHand {
			w.fail("event %d is %+v, and the breaker was %v, forced: %t", i+1, e, was, forced[e.Key])
		}
		if delete(forced, e.Key); e.Kind == guard.Forced {
			forced[e.Key] = true
		}
		number[e.From]--
		number[e.To]++
		states[e.Key] = e.To
	}
	c := w.eng.counters
	if number[breaker.Open] != c.OpenKeys.Load() || number[breaker.HalfOpen] != c.HalfOpenKeys.Load() || len(forced) != int(c.ForcedKeys.Load()) {
		w.fail("%d breakers are open, %d half-open and %d forced, and the events say %v and %d", c.OpenKeys.Load(), c.HalfOpenKeys.Load(), c.ForcedKeys.Load(), number, len(forced))
	}
}
