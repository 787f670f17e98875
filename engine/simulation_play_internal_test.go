package engine

import (
	"time"

	"github.com/limitpal/limitpal-go/breaker"
)

// Of a simulation.
const (
	eventsOfSeed  = 110_000
	scenesOfSeed  = 4
	eventsToDrain = 100_000
)

// play runs a scene until so many events have been, and then until everyone has come to an end.
func (u *universe) play(until int64) {
	closes := u.oneIn(4)
	closesOne := until // of several engines
	if len(u.worlds) > 1 {
		closesOne = u.events + 2*int64(u.below(int(until-u.events)))
	}
	for u.events < until {
		if u.events >= closesOne {
			u.close(u.worlds[u.below(len(u.worlds)):][:1])
			closesOne = until
		}
		if u.oneIn(64) {
			u.nature()
		}
		if !u.step() {
			u.fail("everyone waits for someone")
		}
	}
	if closes {
		u.close(u.worlds)
	} else {
		u.draining = true
	}
	u.offset = max(u.offset, u.high-u.now) // or a jump of a clock that is behind would not count in full, and timers would fire too early
	u.reading()
	for id := range u.callers {
		if p := u.persons[id].phase; p == resting || p == inFn {
			u.wakeAt(id, u.now)
		}
	}
	for left := eventsToDrain; !u.quiet(); left-- {
		if left == 0 || !u.step() {
			u.stuck()
		}
	}
	if u.draining {
		u.checkNothingLeft()
		u.tryAll()
	}
	for _, w := range u.worlds {
		w.checkGraves()
		w.checkEvents()
	}
	u.passed += u.now
}

// tryAll makes a call of every key, when what was open has had the time to recover: none may be
// refused by a breaker.
func (u *universe) tryAll() {
	length, breaks := int64(0), false
	for _, w := range u.worlds {
		length, breaks = max(length, w.recovers), breaks || w.cfg.Breaker != nil
	}
	if !breaks || length > int64(24*time.Hour) {
		return
	}
	u.now += length
	u.recovered, u.failing = true, 0
	p := u.persons[0]
	for _, w := range u.worlds {
		for key := 0; key < w.names && !w.closed; key++ {
			w.try(p, key)
		}
	}
	p.phase = parked
	u.timed &^= 1 << p.id
	u.ready &^= 1 << p.id
}

// try has p make a call of a key.
func (w *world) try(p *person, key int) {
	if b := &w.keys[key].circuit; b.forced && w.is(b, w.reading()) == breaker.Open {
		return
	}
	for _, c := range p.links {
		c.account = nil
	}
	c := w.people[p.id]
	c.key, c.n, c.hopeVersion = key, 1, 0
	p.links, p.asks, p.mode = append(p.room[:0], c), true, true
	p.hope, p.hopeAt = errSimulated, 0 // so that it calls this key
	p.phase = resting
	w.wakeAt(p.id, w.now)
	for left := eventsToDrain; p.hope != nil || p.phase != resting && p.phase != parked; left-- {
		if left == 0 || !w.step() {
			w.stuck()
		}
	}
}

// checkNothingLeft makes sure that calls which have ended have left no waiter and no probe.
func (u *universe) checkNothingLeft() {
	for _, w := range u.worlds {
		for i := range w.keys {
			if a := &w.keys[i]; a.site != nil && a.site.inside > 0 {
				u.fail("all calls have ended, and %d places of %q of engine %d are taken", a.site.inside, keyNames[i], w.number)
			}
			if a := &w.keys[i]; !w.closed && (a.waits() > 0 || a.circuit.out > 0 && !a.lost && !w.renews(a)) {
				u.fail("all calls have ended, and %q of engine %d has %d waiters and %d probes out", keyNames[i], w.number, a.waits(), a.circuit.out)
			}
		}
	}
}

// quiet reports whether every caller has come to an end, and every message has had its turn.
func (u *universe) quiet() bool {
	for id := range u.callers {
		if u.persons[id].phase != parked {
			return false
		}
	}
	for _, x := range u.steppers {
		if x.actor.Ready() {
			return false
		}
	}
	return u.persons[operator].phase != closing
}

// stuck names a caller that never comes to an end.
func (u *universe) stuck() {
	for id := range u.persons {
		if p := u.persons[id]; (id < u.callers || id == operator && u.over) && p.phase != parked {
			u.fail("caller %d never comes to an end: phase %d, message %+v", id, p.phase, p.message())
		}
	}
	u.fail("an actor never takes its messages")
}
