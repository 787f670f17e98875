package engine

import (
	"slices"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// drawPlaces draws how many calls of a key may be in flight, or no bound.
func (w *world) drawPlaces(s *setup) {
	s.cfg.Concurrency = nil
	if s.places = []int{0, 1, 1, 2, 2, 3, 5, int(w.spread(1, 1<<30))}[w.below(8)]; s.places > 0 {
		s.cfg.Concurrency = limiter.InFlight{Max: s.places}
	}
}

// presence is what a caller has of the places of its key.
type presence struct {
	placed    bool   // its call has one
	kept      int    // in a Hold
	enteredBy *rules // when it was taken
	wasFull   bool   // since the attempt began: none was free, or others waited for one
}

// full reports whether no place of a is free for c, or others wait for one, by the rules in force or those of the gate.
func (a *account) full(c *caller) bool {
	st := a.site
	if st == nil {
		return false
	}
	others := st.inside
	if c.placed && c.account == a {
		others--
	}
	taken := func(r *rules) bool { return r.places > 0 && others >= r.places }
	return len(st.line.queue) > 0 || taken(a.rules) || taken(a.atGate().rules)
}

// settlePlaces looks at the places of the key of the person that goes on: if one more is taken or free, it is the person
// that has entered or left.
func (c *caller) settlePlaces() {
	st := c.account.site
	switch n := st.gate.InFlight() - st.inside; {
	case n == 0:
	case n == -1:
		c.leaves(st)
	case n != 1 || !c.deciding || !c.asks:
		c.w.fail("caller %d has taken %d places, and has asked for a call: %t", c.id, n, c.deciding && c.asks)
	case len(st.line.queue) > 0:
		c.w.fail("caller %d has taken a place at the gate, and overtook %d that wait for one", c.id, len(st.line.queue))
	default:
		c.enters(st)
	}
}

// enters gives c a place.
func (c *caller) enters(st *site) {
	w, a := c.w, c.account
	r := a.atGate().rules
	switch {
	case c.placed:
		w.fail("caller %d takes a second place", c.id)
	case r.places == 0:
		w.fail("caller %d takes a place, and there is no bound", c.id)
	case st.inside >= r.places:
		w.fail("caller %d enters, and %d of %d places are taken", c.id, st.inside, r.places)
	}
	c.placed, c.enteredBy = true, r
	st.inside++
	a.version++
	w.note(18, c.id, int64(st.inside))
	for _, other := range w.people[:w.callers] {
		if other != c && other.deciding && other.account == a {
			other.wasFull = other.wasFull || a.full(other)
		}
	}
}

// leaves takes a place of c back: that of its call, which has ended and has been reported, or one of a Hold.
func (c *caller) leaves(st *site) {
	w := c.w
	switch {
	case c.placed && c.phase == inFn:
		w.fail("caller %d has given its place back in the midst of its function", c.id)
	case c.placed && c.owes && !w.closed && !w.switchedSince(c.ranAt.rules):
		w.fail("caller %d has given its place back, and has not reported its outcome", c.id)
	case c.placed:
		c.placed = false
	case c.kept > 0:
		c.kept--
	default:
		w.fail("caller %d has given back a place that it did not have", c.id)
	}
	st.inside--
	st.freed = st.freed || len(st.line.queue) > 0
	c.account.version++
	w.note(19, c.id, int64(st.inside))
}

// outAgain undoes what a turn that panicked was expected to do with places.
func (w *world) outAgain(st *site) {
	t := w.turning
	for id, c := range w.people[:] {
		if t.answers>>id&1 != 0 && t.expected[id].placed && c.placed {
			c.placed = false
			st.inside--
		}
	}
}

// checkPlaces compares the places of a key with those inside.
func (w *world) checkPlaces(st *site) {
	if n := st.gate.InFlight(); n != st.inside {
		w.fail("%d places of %q are taken, and %d calls are in flight", n, st.name, st.inside)
	}
}

// checkPlaceless makes sure that a call which begins to wait for tokens or, in the line, for a place, has no place. In
// the line it has no tokens either.
func (p *person) checkPlaceless(lined bool) {
	for _, c := range p.links {
		switch {
		case c.hasDecided():
		case c.placed:
			p.u.fail("caller %d waits, and has a place", p.id)
		case lined && c.debit.account != nil:
			p.u.fail("caller %d waits for a place, and has tokens", p.id)
		}
	}
}

// checkPlaced makes sure that an attempt which begins has a place, if there was a bound ever since it came, and that the
// place is not by older rules.
func (c *caller) checkPlaced() {
	all, some := true, false
	for r := c.rules; r != nil; r = r.next {
		all, some = all && r.places > 0, some || r.places > 0
	}
	switch {
	case all && !c.placed:
		c.w.fail("caller %d begins its function without a place", c.id)
	case !some && c.placed:
		c.w.fail("caller %d begins its function with a place, and there is no bound", c.id)
	case c.placed && c.enteredBy.number < c.rules.number:
		c.w.fail("caller %d has a place by a bound that had changed before its attempt began", c.id)
	}
}

// checkWaiters compares those that wait at a cell with the naive ones.
func (w *world) checkWaiters(st *site, s *guard.State) {
	for _, v := range []*naiveQueue{&st.line, &st.naiveQueue} {
		for i := range v.queue {
			if !v.queue[i].req.Queued() {
				w.fail("caller %d is not in the queue", v.queue[i].who.id)
			}
		}
	}
	if s.Waiters() != st.waits() {
		w.fail("%d callers are in the queue, and should be %d", s.Waiters(), st.waits())
	}
}

// servesAt is the instant at which the actor of st has to look at those that wait.
func (w *world) servesAt(st *site, now int64) int64 {
	at := int64(guard.Never)
	if v, i := w.head(st); v != nil {
		at = st.account.ready(now, v.queue[i].n, true)
	}
	for _, v := range []*naiveQueue{&st.line, &st.naiveQueue} {
		for i := range v.queue {
			if v.rows.shared {
				at = min(at, v.queue[i].until)
			}
		}
	}
	return at
}

// checkServed makes sure that a free place was given to those that wait for one, now that nobody is ready.
func (w *world) checkServed(st *site) {
	if st.freed && !st.rests && len(st.line.queue) > 0 {
		w.fail("a place of %q has come free, %d callers wait for one, and the actor has not heard of it", st.name, len(st.line.queue))
	}
}

// keeps has the places of a call whose function ends with err go to the Hold in err.
func (p *person) keeps(err error) {
	if v, ok := err.(*Verdict); !ok || v.Keep == nil {
		return
	}
	for _, c := range p.links {
		if c.placed {
			c.placed = false
			c.kept++
		}
	}
}

// release releases the Hold of a call that has ended.
func (p *person) release() {
	h := p.hold
	if h == nil {
		return
	}
	p.hold, p.deciding = nil, false
	if !p.u.draining && p.u.oneIn(2) {
		p.sleep(p.u.spread(1, 16*p.u.tick))
	}
	h.Release()
	p.u.settle()
	for _, c := range p.links {
		if c.kept > 0 {
			p.u.fail("caller %d has released its Hold, and %d places are not back", p.id, c.kept)
		}
	}
}

// lose is a call with a ticket that is collected before Done. The collector itself comes at any time; here it comes in
// a step of the person.
func (p *person) lose(t *Ticket) {
	u := p.u
	u.settle()
	p.begun()
	p.phase = inFn
	p.sleep(u.spread(1, u.tick))
	p.phase, p.deciding = admitting, false
	for _, c := range p.links {
		c.account.lost = true // a probe's lease goes on
		c.owes, c.may, c.lease = false, false, 0
	}
	t.holds.done()
	giveBackLost(placesOf(t.eng, &t.admission, t.call))
}

// goesOn forgets the refusals of the call's keys, now that it asks on: for a place, or without one.
func (p *person) goesOn() {
	for _, c := range p.links {
		c.answered = c.answered && c.answer.Err == nil
	}
}

// hasPlace reports whether the call has a place of any key.
func (p *person) hasPlace() bool {
	return slices.ContainsFunc(p.links, func(c *caller) bool { return c.placed })
}
