package engine

import (
	"math"
	"time"
)

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
		w.end()
	} else {
		w.draining = true
	}
	w.offset = max(w.offset, w.high-w.now) // or a jump of a clock that is behind would not count in full, and timers would fire too early
	w.reading()
	for id := range w.callers {
		if p := w.people[id].phase; p == resting || p == running {
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

// tryAll makes a call of every key, when what was open has had the time to recover: none may be refused by a breaker.
func (w *world) tryAll() {
	length := w.circuit.recovery + w.circuit.lease
	if !w.k.hasBreaker || length > int64(24*time.Hour) {
		return
	}
	w.now += length
	w.recovered, w.failing = true, 0
	c := &w.people[0]
	c.hope = nil
	for c.key = range w.names {
		c.attempts = 0
		c.way, c.n, c.deadline, c.cancel = calling, 1, math.MaxInt64, w.now+1
		for w.decide(c); c.phase != parked; {
			if !w.step() {
				w.stuck()
			}
		}
	}
}

// quiet reports whether every caller has come to an end, and every message has had its turn.
func (w *world) quiet() bool {
	for _, s := range w.cells {
		if s.player != nil && s.player.box.n > 0 {
			return false
		}
	}
	for id := range w.callers {
		if w.people[id].phase != parked {
			return false
		}
	}
	return true
}

// stuck names one that never comes to an end.
func (w *world) stuck() {
	for id := range w.callers {
		if c := &w.people[id]; c.phase != parked {
			w.fail("caller %d never comes to an end: phase %d, message %d", id, c.phase, c.m.kind)
		}
	}
	w.fail("an actor never takes its messages")
}
