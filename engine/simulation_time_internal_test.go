package engine

import (
	"math"
	"math/bits"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// ring fires the timers whose instant has come, ends contexts, and makes those callers ready that
// go on at their instant.
func (u *universe) ring() {
	u.soonest = math.MaxInt64
	kept := u.timers[:0]
	for _, t := range u.timers {
		if t.due <= u.now {
			t.fire()
			continue
		}
		kept = append(kept, t)
		u.soonest = min(u.soonest, t.due)
	}
	u.timers = kept
	for left := u.timed; left != 0; left &= left - 1 {
		id := bits.TrailingZeros64(left)
		if at := u.persons[id].due; at <= u.now {
			u.timed &^= 1 << id
			u.ready |= 1 << id
		} else {
			u.soonest = min(u.soonest, at)
		}
	}
	for left := u.ending; left != 0; left &= left - 1 {
		id := bits.TrailingZeros64(left)
		if at := u.persons[id].ends; at <= u.now {
			u.ending &^= 1 << id
			u.persons[id].expire()
		} else {
			u.soonest = min(u.soonest, at)
		}
	}
	u.rouse()
}

// expectWake takes note of the instant at which the actor of st has to wake.
func (u *universe) expectWake(st *site, next actors.Next) {
	if next.Wake == st.wake {
		return // a clock that has stepped hastens no timer
	}
	if st.wake, st.wakeDue = next.Wake, 0; next.Wake != actors.Never {
		st.wakeDue = u.now + min(max(0, next.Wake-u.reading()), math.MaxInt64/2)
	}
}

// suspend stops the process for d: an actor that was about to arm its timer does so later.
func (u *universe) suspend(d int64) {
	u.now += d
	for _, w := range u.worlds {
		for i := range w.names {
			if st := w.keys[i].site; st != nil && st.wakeDue > 0 {
				st.wakeDue += d
			}
		}
	}
}

// checkAwake makes sure that no actor sleeps too long, now that nobody is ready.
func (u *universe) checkAwake() {
	for _, w := range u.worlds {
		w.checkFollowed()
		for i := range w.names {
			st := w.keys[i].site
			if st != nil {
				w.checkServed(st)
			}
			if st == nil || st.wakeDue == 0 || st.rests || u.reading() < st.wake { // a clock that is set back puts the instant off
				continue
			}
			if u.now > st.wakeDue+100*u.tick { // the actor may have been stopped while it armed the timer
				u.fail("the actor of %q sleeps, and should have woken %d ns ago", st.name, u.now-st.wakeDue)
			}
		}
	}
}

// checkWoken makes sure that nobody waits in a queue or sleeps, for a call through a chain, after one of its
// engines has ended, now that nobody is ready.
func (u *universe) checkWoken() {
	for left := u.waiting; left != 0; left &= left - 1 {
		p := u.persons[bits.TrailingZeros64(left)]
		ended, held := false, false
		for _, c := range p.links {
			ended = ended || c.w.eng.ended.Load()
			held = held || c.pending && (c.message.Kind != guard.Ask || c.account.site == nil || c.account.site.rests)
		}
		if ended && !held && p.deciding {
			u.fail("caller %d waits, and an engine of its chain has ended", p.id)
		}
	}
}

// wakeAt has caller id go on at an instant.
func (u *universe) wakeAt(id int, at int64) {
	if at <= u.now {
		u.ready |= 1 << id
		u.timed &^= 1 << id
		return
	}
	u.ready &^= 1 << id
	u.persons[id].due = at
	u.timed |= 1 << id
	u.soonest = min(u.soonest, at)
}

// rouse makes those callers ready that wait for something that has come.
func (u *universe) rouse() {
	for left := u.waiting &^ u.ready; left != 0; left &= left - 1 {
		if id := bits.TrailingZeros64(left); u.persons[id].until() {
			u.ready |= 1 << id
		}
	}
}
