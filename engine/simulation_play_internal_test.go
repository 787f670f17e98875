package engine

import "time"

// Of a simulation.
const (
	eventsOfSeed  = 110_000
	scenesOfSeed  = 4
	eventsToDrain = 100_000
)

// play runs a scene until so many events have been, and then until everyone has come to an end.
func (u *universe) play(until int64) {
	closes := u.oneIn(4)
	for u.events < until {
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
		u.tryAll()
	}
	for _, w := range u.worlds {
		w.checkGraves()
	}
	u.passed += u.now
}

// tryAll makes a call of every key, when what was open has had the time to recover: none may be
// refused by a breaker.
func (u *universe) tryAll() {
	length, any := int64(0), false
	for _, w := range u.worlds {
		length, any = max(length, w.circuit.recovery+w.circuit.lease), any || w.cfg.Breaker != nil
	}
	if !any || length > int64(24*time.Hour) {
		return
	}
	u.now += length
	u.recovered, u.failing = true, 0
	p := u.persons[0]
	for _, w := range u.worlds {
		for key := range w.names {
			w.try(p, key)
		}
	}
	p.phase = parked
	u.timed &^= 1 << p.id
	u.ready &^= 1 << p.id
}

// try has p make a call of a key.
func (w *world) try(p *person, key int) {
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
	return !u.over || u.persons[operator].phase == parked
}

// stuck names a caller that never comes to an end.
func (u *universe) stuck() {
	for id := range u.persons {
		if p := u.persons[id]; (id < u.callers || id == operator && u.over) && p.phase != parked {
			u.fail("caller %d never comes to an end: phase %d, message %+v", id, p.phase, p.links[0].message)
		}
	}
	u.fail("an actor never takes its messages")
}
