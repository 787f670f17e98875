package linear_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/clock"
)

// tick is the grain of time. It is long, so that the real time which a history takes is nothing
// beside it: a context whose deadline lies between two ticks has the same number of whole ticks
// left whenever it is asked.
const tick = 10 * time.Minute

// stepped is a clock that stands still but for its steps. They may go back; what the engine reads
// is what package clock makes of that, which never runs back.
type stepped struct {
	wall  atomic.Int64 // ns
	nanos func() int64 // what package clock makes of the wall

	mu     sync.Mutex // of steps and alarms
	alarms map[*alarm]struct{}
}

// newStepped returns a clock at 0.
func newStepped() *stepped {
	c := &stepped{alarms: map[*alarm]struct{}{}}
	c.nanos = clock.Nanos(bare{c})
	return c
}

// bare is a stepped clock without its Nanos.
type bare struct{ c *stepped }

func (b bare) Now() time.Time                       { return b.c.Now() }
func (b bare) NewTimer(d time.Duration) clock.Timer { return b.c.NewTimer(d) }

// Now is what the wall shows.
func (c *stepped) Now() time.Time { return time.Unix(0, c.wall.Load()) }

// Nanos is what the engine reads. Now and then the reader stands aside with its reading in hand, so
// that others come in between and the reading is an old one when it is used.
func (c *stepped) Nanos() int64 {
	n := c.nanos()
	if rand.Uint32()&7 == 0 {
		runtime.Gosched()
	}
	return n
}

// ticks is the time that the engine reads, in ticks.
func (c *stepped) ticks() int { return int(c.nanos() / int64(tick)) }

// step moves the wall by d ticks, has the new time seen, and fires what is due.
func (c *stepped) step(d int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall.Add(int64(d) * int64(tick))
	now := c.nanos()
	for a := range c.alarms {
		if a.due <= now {
			a.fire()
		}
	}
}

// NewTimer returns a timer that fires at a step.
func (c *stepped) NewTimer(d time.Duration) clock.Timer {
	a := &alarm{c: c, ticks: make(chan time.Time, 1)}
	a.Reset(d)
	return a
}

// alarm is a timer of a stepped clock.
type alarm struct {
	c     *stepped
	ticks chan time.Time
	due   int64
}

func (a *alarm) C() <-chan time.Time { return a.ticks }

// fire delivers the tick. The lock is held, and the channel is empty while the alarm is armed.
func (a *alarm) fire() {
	delete(a.c.alarms, a)
	a.ticks <- a.c.Now()
}

// Stop disarms the alarm; a tick that nobody has received is dropped.
func (a *alarm) Stop() bool {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	return a.disarm()
}

// Reset disarms the alarm and arms it anew.
func (a *alarm) Reset(d time.Duration) bool {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	active := a.disarm()
	a.due = a.c.nanos() + int64(d)
	a.c.alarms[a] = struct{}{}
	if d <= 0 {
		a.fire()
	}
	return active
}

func (a *alarm) disarm() bool {
	_, armed := a.c.alarms[a]
	delete(a.c.alarms, a)
	select {
	case <-a.ticks:
		return true
	default:
		return armed
	}
}
