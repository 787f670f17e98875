package engine

import (
	"math"
	"math/bits"

	"github.com/limitpal/limitpal-go/actors"
)

// ring fires the timers whose instant has come, ends contexts, and makes those callers ready that
// go on at their instant.
func (w *world) ring() {
	w.soonest = math.MaxInt64
	kept := w.timers[:0]
	for _, t := range w.timers {
		if t.due <= w.now {
			t.fire()
			continue
		}
		kept = append(kept, t)
		w.soonest = min(w.soonest, t.due)
	}
	w.timers = kept
	for left := w.timed; left != 0; left &= left - 1 {
		id := bits.TrailingZeros64(left)
		if at := w.people[id].due; at <= w.now {
			w.timed &^= 1 << id
			w.ready |= 1 << id
		} else {
			w.soonest = min(w.soonest, at)
		}
	}
	for left := w.ending; left != 0; left &= left - 1 {
		id := bits.TrailingZeros64(left)
		if at := w.people[id].ends; at <= w.now {
			w.ending &^= 1 << id
			w.people[id].expire()
		} else {
			w.soonest = min(w.soonest, at)
		}
	}
	w.rouse()
}

// expectWake takes note of the instant at which the actor of st has to wake.
func (w *world) expectWake(st *site, next actors.Next) {
	if next.Wake == st.wake {
		return // a clock that has stepped hastens no timer
	}
	if st.wake, st.wakeDue = next.Wake, 0; next.Wake != actors.Never {
		st.wakeDue = w.now + min(max(0, next.Wake-w.reading()), math.MaxInt64/2)
	}
}

// suspend stops the process for d: an actor that was about to arm its timer does so later.
func (w *world) suspend(d int64) {
	w.now += d
	for i := range w.keys {
		if st := w.keys[i].site; st != nil && st.wakeDue > 0 {
			st.wakeDue += d
		}
	}
}

// checkAwake makes sure that no actor sleeps too long, now that nobody is ready.
func (w *world) checkAwake() {
	for i := range w.keys {
		if st := w.keys[i].site; st != nil && st.wakeDue > 0 && !st.rests && w.now > st.wakeDue+100*w.tick { // the actor may have been stopped while it armed the timer
			w.fail("the actor of %q sleeps, and should have woken %d ns ago", st.name, w.now-st.wakeDue)
		}
	}
}

// wakeAt has caller id go on at an instant.
func (w *world) wakeAt(id int, at int64) {
	if at <= w.now {
		w.ready |= 1 << id
		w.timed &^= 1 << id
		return
	}
	w.ready &^= 1 << id
	w.people[id].due = at
	w.timed |= 1 << id
	w.soonest = min(w.soonest, at)
}

// rouse makes those callers ready that wait for something that has come.
func (w *world) rouse() {
	for left := w.waiting &^ w.ready; left != 0; left &= left - 1 {
		if id := bits.TrailingZeros64(left); w.people[id].until() {
			w.ready |= 1 << id
		}
	}
}
