package engine

import (
	"slices"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
)

// checkContent is for a success that is not counted: there must be nothing that it would change.
func (w *world) checkContent(s *site) {
	if c := &s.account.circuit; c.state != breaker.Closed || c.row > 0 {
		w.fail("a success is not counted, and the breaker is %v with %d failures", c.state, c.row)
	}
}

// checkAfter compares what a turn left with the naive models.
func (w *world) checkAfter(s *site) {
	p, a, now := s.player, s.account, w.turning.now
	s.generation = s.gate.generation.Load()
	w.note(12, s.slot, s.gate.word.Load())
	w.checkWord(s, now)
	wake := int64(actors.Never)
	if a.circuit.out > 0 {
		wake = a.circuit.begun[0] + w.circuit.lease
	}
	if len(p.queue) > 0 {
		wake = min(wake, w.bucketReady(a, now, p.queue[0].n, true))
	}
	if p.next.Wake > max(wake, now) {
		w.fail("the actor wakes at %d, and has something to do at %d", p.next.Wake, wake)
	}
	for i := range p.queue {
		if !p.queue[i].req.queued {
			w.fail("caller %d is not in the line", p.queue[i].who)
		}
	}
	open := s.gate.word.Load() >= 0
	if open && (len(p.queue) > 0 || a.circuit.state != breaker.Closed || !w.gates()) {
		w.fail("the gate is open, with %d callers in the queue and the breaker %v", len(p.queue), a.circuit.state)
	}
	if !open && w.gates() && len(p.queue) == 0 && a.circuit.state == breaker.Closed {
		w.fail("the gate is shut, with nobody in the queue and the breaker closed")
	}
}

// gates reports whether there are any.
func (w *world) gates() bool { return w.cfg.Dispatch == Published && len(w.limits) <= 1 }

// checkPassed is for a call that passed the gate.
func (w *world) checkPassed(c *caller, closed, turn bool) {
	s, a := c.site, c.site.account
	if len(w.limits) == 0 {
		if !closed {
			w.fail("caller %d passed the gate of a breaker that is not closed", c.id)
		}
		return
	}
	switch {
	case s.retired:
		w.fail("caller %d passed the gate of a cell that has been retired", c.id)
	case len(a.waiting()) > 0:
		w.fail("caller %d passed the gate, and overtook %d that wait", c.id, len(a.waiting()))
	case a.circuit.state != breaker.Closed:
		w.fail("caller %d passed the gate of a breaker that is %v", c.id, a.circuit.state)
	}
	w.take(a, w.given, c.n, turn)
}

// checkSnapshot compares it with what Inspect showed. The wait is left out: answers to asks show it.
func (w *world) checkSnapshot(c *caller) {
	is, ought := &c.snapshot, &c.expected
	for i := range is.Limits {
		is.Limits[i].Wait = 0
	}
	if is.Breaker != ought.Breaker || is.Failures != ought.Failures || is.OpenFor != ought.OpenFor || is.Waiting != ought.Waiting ||
		!slices.Equal(is.Limits, ought.Limits) {
		w.fail("the snapshot is %+v, and should be %+v", *is, *ought)
	}
}

// checkGraves makes sure that nothing was written to a cell after it was retired.
func (w *world) checkGraves() {
	for i := range w.sites.n {
		s := w.sites.at(i)
		g := &s.gate
		if s.retired && (g.word.Load() != gone || g.generation.Load() != s.generation || g.standing.Load() != s.standing) {
			w.fail("the cell of %q was written to after it had been retired", s.name)
		}
	}
}
