package engine

import (
	"errors"
	"slices"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// observer is the shipped behavior, compared with the naive models at each turn, birth and
// eviction.
type observer struct {
	*guard.Behavior
	w *world
}

// Init implements actors.Behavior.
func (o *observer) Init(now int64, key string, g *guard.Gate, s *guard.State) actors.Next {
	w := o.w
	a := w.accountOf(key)
	if a.site != nil {
		w.fail("a second cell for %q", key)
	}
	next := o.Behavior.Init(now, key, g, s)
	a.circuit.trips = min(a.circuit.trips, a.circuit.rules.doublings) // of a spilled key, whatever rules came between
	st := &site{gate: g, account: a, name: key, last: g.FullAt()}
	a.site = st
	a.epoch++
	w.gates[g] = st
	w.is(&a.circuit, now)
	st.birthPeriod = a.circuit.period
	w.learn(g.Generation(), a)
	w.event(1, int(a.number), now)
	w.checkBorn(st, s, next.Clean)
	w.watchAllAt(a, now)
	return next
}

// learn takes note of the period that a generation stands for.
func (w *world) learn(generation uint64, a *account) {
	if period, known := w.periodOf[generation]; known && period != a.circuit.period {
		w.fail("generation %d was that of period %d, and is that of period %d", generation, period, a.circuit.period)
	}
	w.periodOf[generation] = a.circuit.period
}

// Receive implements actors.Behavior.
func (o *observer) Receive(clock func() int64, g *guard.Gate, s *guard.State, m *guard.Message) actors.Next {
	w, st := o.w, o.begin(g, s, m)
	w.turnClock = clock
	next := o.guarded(st, func() actors.Next { return o.Behavior.Receive(w.clock, g, s, m) })
	if next.Same {
		w.turning.fuse = whole
		w.checkClean(st) // the turn says that it changed nothing
	} else {
		o.end(st, s, next)
	}
	return next
}

// Wake implements actors.Behavior.
func (o *observer) Wake(now int64, g *guard.Gate, s *guard.State) actors.Next {
	w, st := o.w, o.begin(g, s, nil)
	if w.turning.fuse == atTheClock {
		w.turning.fuse = atTransitions
	}
	w.expectAt(now)
	next := o.guarded(st, func() actors.Next { return o.Behavior.Wake(now, g, s) })
	o.end(st, s, next)
	return next
}

// begin prepares a turn.
func (o *observer) begin(g *guard.Gate, s *guard.State, m *guard.Message) *site {
	w := o.w
	st := w.gates[g]
	switch {
	case st.retired:
		w.fail("a turn of a cell of %q that has been retired", st.name)
	case st.inTurn:
		w.fail("two turns of %q at a time", st.name)
	}
	st.inTurn = true
	if st.state != s {
		for _, former := range st.former {
			if former == s {
				w.fail("a second actor for %q", st.name)
			}
		}
		copy(st.former[1:], st.former[:])
		st.former[0], st.state = st.state, s
	}
	t := w.turning
	t.site, t.message, t.who, t.fuse, t.answers, t.begun, t.clockPanics = st, m, nil, whole, 0, false, w.clockPanics
	if m != nil && m.Request != nil {
		t.who = w.askers[m.Request]
	}
	odds := w.panics
	if st.account.circuit.state != breaker.Closed {
		odds = 1 + odds/16 // a transition may be near
	}
	if w.depth == 1 && w.oneIn(odds) && (m == nil || m.Kind != guard.Reset && m.Kind != guard.GiveBack && m.Kind != guard.Charge) { // half of either is nothing to rely on
		t.fuse = fuse(1 + w.below(2))
	}
	return st
}

// guarded runs a turn. If the turn panics, the naive models go back.
func (o *observer) guarded(st *site, run func() actors.Next) actors.Next {
	w := o.w
	returned := false
	defer func() {
		st.inTurn = false
		if !returned && w.violated == "" {

			o.undo(st)
		}
	}()
	next := run()
	returned = true
	return next
}

// end compares what a turn did with what it ought to have done.
func (o *observer) end(st *site, s *guard.State, next actors.Next) {
	st.turned, st.freed = o.w.turning.now, false
	w := o.w
	w.turning.fuse = whole
	w.collect(st)
	w.checkAfter(st, s, next)
	if st.gate.Shared() {
		st.account.restsAt(w.turning.now)
	}
	st.last = st.gate.FullAt()
	w.learn(st.gate.Generation(), st.account)
	w.watchAll(st.account)
	w.expectWake(st, next)
}

// Fail implements actors.Behavior.
func (o *observer) Fail(now int64, g *guard.Gate, s *guard.State, err error) actors.Next {
	w, st := o.w, o.w.gates[g]
	if w.violated != "" {
		return actors.Next{Wake: actors.Never, Forget: actors.Never}
	}
	next := o.Behavior.Fail(now, g, s, err)
	for _, q := range slices.Concat(st.line.queue, st.queue) {
		if !q.req.Left() && len(q.req.Answered()) == 0 && w.askers[q.req] == q.who && q.who.pending {
			w.fail("caller %d waited in the queue when all was refused, and was not answered", q.who.id)
		}
	}
	st.clear()
	st.line.clear()
	st.freed = false
	w.collectRefused(st)
	w.checkFullAt(st, s, max(now, w.latest)) // the clock may have failed
	st.last = g.FullAt()
	w.watchAllAt(st.account, now)
	st.wakeDue = 0 // if it was one panic too many, the actor rests
	return next
}

// Refuse implements actors.Behavior.
func (o *observer) Refuse(m *guard.Message, err error) {
	w := o.w
	if w.violated != "" {
		return // the violation was in a turn, after its answer
	}
	o.Behavior.Refuse(m, err)
	if m.Request == nil || m.Kind == guard.CancelWait || m.Kind == guard.Report && m.Answers == nil {
		return
	}
	c := w.askers[m.Request]
	if !m.Request.Left() && len(m.Request.Answered()) == 0 && c.pending && c.req == m.Request {
		w.fail("the message of caller %d had no turn and no answer", c.id)
	}
	if errors.Is(err, actors.ErrFailed) && c.account.site != nil {
		c.account.site.rests = true
	}
	switch m.Kind {
	case guard.Reset:
		c.account.failing = true
	case guard.GiveBack:
		c.spent = true
	}
	w.collectFrom(c)
}

// Retire implements actors.Behavior.
func (o *observer) Retire(unused int64, g *guard.Gate) bool {
	if !o.Behavior.Retire(unused, g) {
		return false
	}
	w, st := o.w, o.w.gates[g]
	o.bury(st)
	if !w.isClean(st.account, max(w.who.given, st.turned)) { // the reading may be from before the last turn
		w.fail("the cell of %q was retired and is not clean", st.name)
	}
	st.account.circuit.window.drop()
	st.account.cleanAt = w.events
	w.event(2, int(st.account.number), w.now)
	return true
}

// Update implements actors.Updater.
func (o *observer) Update(now int64, g *guard.Gate, s *guard.State) actors.Next {
	next := o.Behavior.Update(now, g, s)
	w, st := o.w, o.w.gates[g]
	if st.inTurn || st.waits() > 0 {
		w.fail("the cell of %q is brought up to date in the midst of a turn, or with callers in the queue", st.name)
	}
	at := now
	if st.account.stale { // the change may have come since the clock was read
		at = max(now, w.rules.at)
	}
	w.adopted(st.account)
	w.learn(g.Generation(), st.account)
	w.watchAllAt(st.account, max(now, w.latest)) // an open breaker may have been forgotten
	w.rested(st, at)
	w.checkFullAt(st, s, max(now, w.latest))
	if g.Shared() {
		st.account.restsAt(now)
	}
	st.last = g.FullAt()
	w.event(4, int(st.account.number), now)
	return next
}

// Spill implements actors.Behavior.
func (o *observer) Spill(key string, g *guard.Gate, s *guard.State) {
	w, st := o.w, o.w.gates[g]
	o.bury(st)
	o.Behavior.Spill(key, g, s)
	st.posted = g.Posted()
	w.spilled(st.account, st)
	w.event(3, int(st.account.number), w.now)
}

// bury takes note that the cell is retired.
func (o *observer) bury(st *site) {
	w := o.w
	if st.inTurn {
		w.fail("the cell of %q was retired in the midst of a turn", st.name)
	}
	if st.waits() > 0 || st.inside > 0 {
		w.fail("the cell of %q was retired, and %d callers wait and %d are in flight", st.name, st.waits(), st.inside)
	}
	if st.account.stale || st.gate.Policy().Stale() {
		w.fail("the cell of %q was retired, and goes by limits that have changed", st.name)
	}
	st.account.rests, st.account.wentAt = nil, w.latest
	st.retired, st.finalPeriod = true, st.account.circuit.period
	st.generation, st.posted = st.gate.Generation(), st.gate.Posted()
	w.finals[st.finalPeriod] = true
	st.account.site = nil
	w.graves = append(w.graves, st)
}
