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
		w.fail("65 actors")
	}
	w.steppers = append(w.steppers, &runner{world: w, actor: x})
}

// Wait implements actors.Driver.
func (w *world) Wait(ready func() bool) {
	if w.who == nil || w.who.person == nil {
		w.fail("a step of an actor has to wait")
	}
	p := w.who.person
	if ready() {
		return
	}
	p.until = ready
	w.waiting |= 1 << p.id
	w.ready &^= 1 << p.id
	p.pause()
	w.waiting &^= 1 << p.id
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
func (u *universe) between() {
	if p := u.who; p != nil && p.person != nil && p.person.changing != nil && p.person.changing.still() {
		return
	}
	if u.settle(); u.who == nil || u.depth > 2 || !u.oneIn(u.comings) {
		return
	}
	for range 1 + u.below(4) {
		if u.oneIn(4) {
			u.now += u.spread(1, u.tick)
		}
		u.step()
	}
}

// roughClock may run back.
type roughClock struct{ u *universe }

func (c roughClock) Now() time.Time { return time.Unix(1e9, 0).Add(time.Duration(c.sample())) }

// sample is a reading. The reader may be stopped before and after.
func (c roughClock) sample() int64 {
	u := c.u
	u.between()
	if x := u.who; x != nil && x.person == nil && u.oneIn(8*u.panics) {
		u.clockPanics++
		if key := x.actor.Key(); key != "" && x.world.accountOf(key).site != nil {
			x.world.accountOf(key).site.rests = true
		}
		panic(errClock)
	}
	source := u.now + u.offset
	u.between()
	u.high = max(u.high, source)
	return source
}

// errClock is a panic of the clock, in a step of an actor or the supervisor.
var errClock = errors.New("simulated panic of the clock")

// NewTimer implements clock.Clock.
func (c roughClock) NewTimer(d time.Duration) clock.Timer {
	t := &simTimer{u: c.u, tick: make(chan time.Time, 1)}
	t.arm(d)
	return t
}

// heldClock is a roughClock as package clock reads it, and tells the universe the reading.
type heldClock struct {
	roughClock
	read func() int64
}

func newHeldClock(u *universe) *heldClock {
	return &heldClock{roughClock{u}, clock.Nanos(roughClock{u})}
}

func (c *heldClock) Nanos() int64 {
	reading := c.read()
	c.u.give(reading + 1)
	return reading
}

// steadyClock has the method that the system's clock has: readings are used as they are, however
// old they have become.
type steadyClock struct{ roughClock }

func (c steadyClock) Nanos() int64 {
	source := c.sample()
	c.u.give(source + 1)
	return source
}

// give takes note of a reading.
func (u *universe) give(reading int64) {
	u.latest = max(u.latest, reading)
	if u.who != nil {
		u.who.given = reading
		if p := u.who.person; p != nil && p.deciding && p.decided == 0 {
			p.decided = reading
		}
	}
}

// simTimer fires when the universe says so; sometimes late.
type simTimer struct {
	u     *universe
	tick  chan time.Time
	due   int64
	armed bool
}

func (t *simTimer) C() <-chan time.Time { return t.tick }

func (t *simTimer) arm(d time.Duration) {
	u := t.u
	t.due = u.now + max(0, int64(d))
	if t.due < u.now {
		return // an instant that does not come
	}
	if u.oneIn(4) {
		t.due += u.spread(1, u.tick)
	}
	t.armed = true
	u.timers = append(u.timers, t)
	u.soonest = min(u.soonest, t.due)
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
		for i, other := range t.u.timers {
			if other == t {
				t.u.timers = append(t.u.timers[:i], t.u.timers[i+1:]...)
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
