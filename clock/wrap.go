package clock

import (
	"sync"
	"time"

	benbjohnson "github.com/benbjohnson/clock"
)

// Wrap returns c, a clock of github.com/benbjohnson/clock, as a [Clock]: its
// real clock, its Mock, or anything else with that interface. Wrap panics if c
// is nil. It keeps no state, so that two wraps of one clock are alike.
//
// Timers hold to the contract of [Timer] even where those of the Mock do not.
// The Mock's own timers deadlock when they are reset without draining, leave a
// stale tick behind Stop, do not fire on Reset(0), and move the Mock's time
// back when made with a negative duration. Wrap uses only Now and AfterFunc of
// c, never with a duration of zero or less, and delivers on channels of its
// own, so that nothing is ever sent while the Mock's lock is held.
//
// One weakness of the Mock remains with whoever moves it: Mock.Add does not
// wait for goroutines that have yet to arm their timers. Call it inside a
// testing/synctest bubble, between two calls of synctest.Wait, or use package
// clocktest, which does so.
func Wrap(c benbjohnson.Clock) Clock {
	if c == nil {
		panic("clock: Wrap of a nil clock")
	}
	return wrapped{c}
}

// wrapped is a benbjohnson clock seen as a Clock.
type wrapped struct {
	clock benbjohnson.Clock
}

func (w wrapped) Now() time.Time { return w.clock.Now() }

func (w wrapped) NewTimer(d time.Duration) Timer {
	t := &wrappedTimer{clock: w.clock, ch: make(chan time.Time, 1)}
	t.Reset(d)
	return t
}

// wrappedTimer is a timer made of one AfterFunc per arming.
//
// Why no stale tick can be received, although ch stays the same for life: ch
// is written only under mu, by arm and by a fire of the present generation,
// hence at most once per generation; and disarm, under mu too, begins a new
// generation and empties ch. So ch is empty when disarm returns and stays
// empty until the timer is armed again, and a write never blocks. The lock is
// held over calls of the clock, which never calls back under its own.
type wrappedTimer struct {
	clock benbjohnson.Clock
	ch    chan time.Time // capacity 1

	mu         sync.Mutex
	generation uint64             // counts the disarmings; a late fire of an earlier one is ignored
	armed      bool               // due, and not yet fired
	inner      *benbjohnson.Timer // the AfterFunc of this generation; nil unless armed
}

func (t *wrappedTimer) C() <-chan time.Time { return t.ch }

func (t *wrappedTimer) Stop() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.disarm()
}

func (t *wrappedTimer) Reset(d time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := t.disarm()
	t.arm(d)
	return kept
}

// disarm ends the present generation and reports whether that kept a tick from
// being received. The caller holds mu.
func (t *wrappedTimer) disarm() bool {
	kept := t.armed
	t.generation++
	t.armed = false
	if t.inner != nil {
		t.inner.Stop()
		t.inner = nil
	}
	select {
	case <-t.ch:
		kept = true
	default:
	}
	return kept
}

// arm makes the timer fire d from now. The caller holds mu and has disarmed.
//
// Each arming gets an AfterFunc of its own instead of a Reset of the last one,
// because the Mock may be about to run that one, and only the closure can tell
// the generation for which it was meant.
func (t *wrappedTimer) arm(d time.Duration) {
	if d <= 0 {
		t.ch <- t.clock.Now()
		return
	}
	generation := t.generation
	t.armed = true
	t.inner = t.clock.AfterFunc(d, func() { t.fire(generation) })
}

// fire runs on a goroutine of the clock, which ends with it.
func (t *wrappedTimer) fire(generation uint64) {
	now := t.clock.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if generation != t.generation {
		return
	}
	t.armed = false
	t.inner = nil
	t.ch <- now
}
