package engine

import (
	"errors"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
)

// turn is what the naive models expect of a turn.
type turn struct {
	site     *site
	envelope *envelope // nil when the actor wakes
	now      int64
	fuse     fuse
	expected [mostCallers]expectation
	answers  uint64 // the callers of whom an answer is expected
	before   account
	line     []waiter
	moved    int64
}

// fuse is where a turn is to panic.
type fuse uint8

const (
	whole         fuse = iota
	atTheClock         // when it asks the time
	atTransitions      // when the breaker begins a new period
)

var errFuse = errors.New("simulated panic of a turn")

// generation is what the breakers call for each new period.
func (w *world) generation() uint64 {
	if w.turning.fuse == atTransitions {
		panic(errFuse)
	}
	return w.k.generation()
}

// receive takes the first envelope of s and gives it its turn.
func (w *world) receive(s *site) {
	p := s.player
	e := &p.current
	*e = *p.box.at(0)
	p.box.pop()
	if p.box.n >= room {
		w.admitted(p.box.at(room - 1)) // the first of those that wait for room
	}
	if e.order != noOrder {
		w.obey(s)
		return
	}
	p.good = p.state
	if p.failed != 0 && w.reading() < p.failed {
		w.note(int(e.m.kind), s.slot, -1)
		w.k.Refuse(&e.m, actors.ErrFailed)
		w.collectRefused(s, e, actors.ErrFailed)
		return
	}
	w.begin(s, e)
	next := w.guarded(s, func() actors.Next { return w.k.Receive(w.clock, &s.gate, &p.state, &e.m) })
	if next.Same {
		w.checkContent(s) // it says that it changed nothing
	} else {
		w.settle(s, next)
	}
	w.ended(&e.m)
}

// begin prepares a turn.
func (w *world) begin(s *site, e *envelope) {
	t := &w.turning
	t.site, t.envelope, t.fuse, t.answers = s, e, whole, 0
	odds := w.panics
	if s.account.circuit.state != breaker.Closed {
		odds = 1 + odds/16 // a transition may be near
	}
	if w.depth == 0 && w.oneIn(odds) && (e == nil || e.m.kind != reset) { // half a reset is nothing to rely on
		t.fuse = fuse(1 + w.below(2))
	}
}

// clockOfTurn is what a turn asks for the time. From here on nothing comes between, so that this is the moment to say what it ought to do.
func (w *world) clockOfTurn() int64 {
	w.porous = true
	now := w.eng.system.Now()
	w.porous = false
	w.turning.now = now
	if w.turning.fuse == atTheClock {
		panic(errFuse)
	}
	w.expectAt(now)
	return now
}

// wake gives the state of s the turn that it asked for.
func (w *world) wake(s *site) {
	p := s.player
	p.good = p.state
	w.begin(s, nil)
	if w.turning.fuse == atTheClock {
		w.turning.fuse = atTransitions
	}
	now := w.reading()
	w.expectAt(now)
	w.settle(s, w.guarded(s, func() actors.Next { return w.k.Wake(now, &s.gate, &p.state) }))
}

// guarded runs a turn, and if it panics puts the actor back on its feet as actors does.
func (w *world) guarded(s *site, run func() actors.Next) (next actors.Next) {
	if w.turning.fuse == whole {
		return run()
	}
	defer func() {
		fuse := w.turning.fuse
		w.turning.fuse = whole
		if reason := recover(); reason != nil {
			if reason != errFuse {
				panic(reason)
			}
			w.porous = false
			next = w.restart(s, fuse)
		}
	}()
	return run()
}

// restart is what follows a panic: the state as it was, the message refused, and all that wait for the key answered.
func (w *world) restart(s *site, at fuse) actors.Next {
	p := s.player
	w.note(int(at), s.slot, 1)
	p.state = p.good
	now := w.reading()
	keep := p.restarts[:0]
	for _, r := range p.restarts {
		if now-r < 60e9 {
			keep = append(keep, r)
		}
	}
	p.restarts = append(keep, now)
	p.stays = true
	if len(p.restarts) > 5 {
		p.restarts, p.failed = p.restarts[:0], now+60e9
	}
	if e := w.turning.envelope; e != nil {
		w.k.Refuse(&e.m, errFuse)
	}
	next := w.k.Fail(now, &s.gate, &p.state, errFuse)
	if at == atTransitions {
		// The naive models have gone too far. What the turn had granted before stays so; it was nothing that the breaker was asked for.
		p.queue, p.moved = append(p.queue[:0], w.turning.line...), w.turning.moved
		version := s.account.version
		*s.account = w.turning.before
		s.account.version = version + 1
		w.collectGranted(s)
	}
	w.collectRefused(s, w.turning.envelope, errFuse)
	p.queue = p.queue[:0]
	w.turning.answers = 0
	return next
}

// settle takes over what a turn said, and compares what it did with what it ought to have done.
func (w *world) settle(s *site, next actors.Next) {
	p := s.player
	if next.Used != 0 {
		p.used = next.Used
	}
	p.next, p.forget = next, next.Forget
	w.collect(s)
	w.checkAfter(s)
}
