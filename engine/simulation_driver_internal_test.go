package engine

import (
	"errors"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

var _ driver = (*world)(nil)

// Start implements actors.Driver.
func (w *world) Start(x actors.Stepper) {
	if len(w.steppers) == 64 {
		w.fail("65 actors for %d keys", w.maxKeys)
	}
	w.steppers = append(w.steppers, &runner{actor: x})
}

// Wait implements actors.Driver.
func (w *world) Wait(ready func() bool) {
	if w.who == nil || w.who.caller == nil {
		w.fail("a step of an actor has to wait")
	}
	c := w.who.caller
	if ready() {
		return
	}
	c.until = ready
	w.waiting |= 1 << c.id
	w.ready &^= 1 << c.id
	c.pause()
	w.waiting &^= 1 << c.id
}

// Between implements actors.Driver.
func (w *world) Between() { w.between() }

// Until implements driver.
func (w *world) Until(deadline time.Time) time.Duration {
	return deadline.Sub(simEpoch) - time.Duration(w.now)
}

// simEpoch is the instant of the system's clock at which a scene begins.
var simEpoch = time.Unix(2e9, 0)

// Observe implements driver.
func (w *world) Observe(b *guard.Behavior) behavior {
	w.b = b
	b.Renewing = func() {
		if w.turning.fuse == atTransitions {
			panic(errFuse)
		}
	}
	return &observer{b, w}
}

// between is a place in the midst of a step where the others may go on: another goroutine comes
// between two instructions.
func (w *world) between() {
	if w.settleGate(); w.who == nil || w.depth > 2 || !w.oneIn(w.comings) {
		return
	}
	was := w.turning.fuse
	w.turning.fuse = whole
	saved := w.turning
	for range 1 + w.below(4) {
		if w.oneIn(4) {
			w.now += w.spread(1, w.tick)
		}
		w.step()
	}
	w.turning = saved
	w.turning.fuse = was
}

// reading is what the engine's clock says now, to the simulation. Nobody comes between.
func (w *world) reading() int64 {
	if w.steady {
		return w.now + w.offset + 1
	}
	who := w.who
	w.who = nil
	now := w.eng.system.Now()
	w.who = who
	return now
}

// roughClock may run back.
type roughClock struct{ w *world }

func (c roughClock) Now() time.Time { return time.Unix(1e9, 0).Add(time.Duration(c.sample())) }

// sample is a reading. The reader may be stopped before and after.
func (c roughClock) sample() int64 {
	w := c.w
	w.between()
	if w.who != nil && w.who.caller == nil && w.oneIn(8*w.panics) {
		w.clockPanics++
		if key := w.who.actor.Key(); key != "" && w.accountOf(key).site != nil {
			w.accountOf(key).site.rests = true
		}
		panic(errClock)
	}
	source := w.now + w.offset
	w.between()
	w.high = max(w.high, source)
	return source
}

// errClock is a panic of the clock, in a step of an actor or the supervisor.
var errClock = errors.New("simulated panic of the clock")

// NewTimer implements clock.Clock.
func (c roughClock) NewTimer(d time.Duration) clock.Timer {
	t := &simTimer{w: c.w, tick: make(chan time.Time, 1)}
	t.arm(d)
	return t
}

// heldClock is a roughClock as package clock reads it, and tells the world the reading.
type heldClock struct {
	roughClock
	read func() int64
}

func newHeldClock(w *world) heldClock { return heldClock{roughClock{w}, clock.Nanos(roughClock{w})} }

func (c heldClock) Nanos() int64 {
	reading := c.read()
	c.w.give(reading + 1)
	return reading
}

// steadyClock has the method that the system's clock has: readings are used as they are, however
// old they have become.
type steadyClock struct{ roughClock }

func (c steadyClock) Nanos() int64 {
	source := c.sample()
	c.w.give(source + 1)
	return source
}

// give takes note of a reading.
func (w *world) give(reading int64) {
	w.latest = max(w.latest, reading)
	if w.who != nil {
		w.who.given = reading
		if c := w.who.caller; c != nil && c.deciding && c.decided == 0 {
			c.decided = reading
		}
	}
}

// simTimer fires when the world says so; sometimes late.
type simTimer struct {
	w     *world
	tick  chan time.Time
	due   int64
	armed bool
}

func (t *simTimer) C() <-chan time.Time { return t.tick }

func (t *simTimer) arm(d time.Duration) {
	w := t.w
	t.due = w.now + max(0, int64(d))
	if t.due < w.now {
		return // an instant that does not come
	}
	if w.oneIn(4) {
		t.due += w.spread(1, w.tick)
	}
	t.armed = true
	w.timers = append(w.timers, t)
	w.soonest = min(w.soonest, t.due)
}

// fire sends the tick.
func (t *simTimer) fire() {
	t.armed = false
	select {
	case t.tick <- time.Time{}:
	default:
	}
}

// Stop implements clock.Timer.
func (t *simTimer) Stop() bool {
	was := t.armed
	if was {
		t.armed = false
		for i, other := range t.w.timers {
			if other == t {
				t.w.timers = append(t.w.timers[:i], t.w.timers[i+1:]...)
				break
			}
		}
	}
	select { // as since Go 1.23: no stale tick is received after Stop or Reset
	case <-t.tick:
	default:
	}
	return was
}

// Reset implements clock.Timer.
func (t *simTimer) Reset(d time.Duration) bool {
	was := t.Stop()
	t.arm(d)
	return was
}
