package engine

import (
	"time"

	"github.com/limitpal/limitpal-go/clock"
)

// between is a place in the midst of a step where the others may go on: another goroutine comes between two instructions.
func (w *world) between() {
	if !w.porous || w.depth > 1 || !w.oneIn(w.comings) {
		return
	}
	w.porous = false
	w.depth++
	was := w.turning
	for range 1 + w.below(4) {
		if w.oneIn(4) {
			w.now += w.spread(1, w.tick)
		}
		w.step()
	}
	w.turning = was
	w.depth--
	w.porous = true
}

// reading is what the engine's clock says now. Nothing comes between.
func (w *world) reading() int64 {
	if w.steady {
		return w.now + w.offset + 1
	}
	return w.eng.system.Now()
}

// roughClock may run back. Its timers never fire: who waits is the world's business.
type roughClock struct{ w *world }

func (c roughClock) Now() time.Time { return time.Unix(1e9, 0).Add(time.Duration(c.sample())) }

func (c roughClock) NewTimer(time.Duration) clock.Timer { return stopped{} }

// sample is a reading. Whoever takes it may be stopped before and after.
func (c roughClock) sample() int64 {
	w := c.w
	w.between()
	source := w.now + w.offset
	w.between()
	w.high = max(w.high, source)
	return source
}

// heldClock is a roughClock as package clock reads it, and tells the world what was read.
type heldClock struct {
	roughClock
	read func() int64
}

func newHeldClock(w *world) heldClock { return heldClock{roughClock{w}, clock.Nanos(roughClock{w})} }

func (c heldClock) Nanos() int64 {
	reading := c.read()
	c.w.given = reading + 1
	return reading
}

// steadyClock has the method that the system's clock has: readings are used as they are, however old they have become.
type steadyClock struct{ roughClock }

func (c steadyClock) Nanos() int64 {
	source := c.sample()
	c.w.given = source + 1
	return source
}

type stopped struct{}

func (stopped) C() <-chan time.Time { return nil }

func (stopped) Stop() bool { return true }

func (stopped) Reset(time.Duration) bool { return true }
