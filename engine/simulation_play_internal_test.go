package engine

import "time"

// Of a simulation.
const (
	eventsOfSeed  = 110_000
	scenesOfSeed  = 4
	eventsToDrain = 100_000
)

// play runs a scene until so many events have been, and then until everyone has come to an end.
func (w *world) play(until int64) {
	closes := w.oneIn(4)
	for w.events < until {
		if w.oneIn(64) {
			w.nature()
		}
		if !w.step() {
			w.fail("everyone waits for someone")
		}
	}
	if closes {
		w.close()
	} else {
		w.draining = true
	}
	w.offset = max(w.offset, w.high-w.now) // or a jump of a clock that is behind would not count in full, and timers would fire too early
	w.reading()
	for id := range w.callers {
		if p := w.people[id].phase; p == resting || p == inFn {
			w.wakeAt(id, w.now)
		}
	}
	for left := eventsToDrain; !w.quiet(); left-- {
		if left == 0 || !w.step() {
			w.stuck()
		}
	}
	if w.draining {
		w.tryAll()
	}
	w.checkGraves()
	w.passed += w.now
}

// tryAll makes a call of every key, when what was open has had the time to recover: none may be
// refused by a breaker.
func (w *world) tryAll() {
	length := w.circuit.recovery + w.circuit.lease
	if w.cfg.Breaker == nil || length > int64(24*time.Hour) {
		return
	}
	w.now += length
	w.recovered, w.failing = true, 0
	c := w.people[0]
	for key := range w.names {
		c.key, c.n, c.asks, c.mode = key, 1, true, true
		c.hope, c.hopeAt, c.hopeVersion = errSimulated, 0, 0 // so that it calls this key
		c.phase = resting
		w.wakeAt(c.id, w.now)
		for left := eventsToDrain; c.hope != nil || c.phase != resting && c.phase != parked; left-- {
			if left == 0 || !w.step() {
				w.stuck()
			}
		}
	}
	c.phase = parked
	w.timed &^= 1 << c.id
	w.ready &^= 1 << c.id
}

// quiet reports whether every caller has come to an end, and every message has had its turn.
func (w *world) quiet() bool {
	for id := range w.callers {
		if w.people[id].phase != parked {
			return false
		}
	}
	for _, x := range w.steppers {
		if x.actor.Ready() {
			return false
		}
	}
	return !w.closed || w.people[operator].phase == parked
}

// stuck names a caller that never comes to an end.
func (w *world) stuck() {
	for id := range w.people {
		if c := w.people[id]; (id < w.callers || id == operator && w.closed) && c.phase != parked {
			w.fail("caller %d never comes to an end: phase %d, message %+v", id, c.phase, c.message)
		}
	}
	w.fail("an actor never takes its messages")
}
