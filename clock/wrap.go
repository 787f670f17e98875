package clock

import (
	"sync"
	"time"

	benbjohnson "github.com/benbjohnson/clock"
)

// Wrap returns c, a clock of github.com/benbjohnson/clock, as a [Clock]: the
// real clock, the Mock, or anything else with that interface. Wrap panics if c
// is nil. Wrap keeps no state, so that two wraps of the same clock are alike.
//
// The timers keep the contract of [Timer], even where the Mock's own timers do
// not: these deadlock when reset without draining, leave a stale tick behind
// Stop, do not fire on Reset(0), and move the Mock's time back when made with a
// negative duration. Wrap uses only Now and AfterFunc of c, never with a
// duration of zero or less, and delivers on channels of Wrap's own, so that
// nothing is ever sent while the Mock's lock is held.
//
// Mock.Add does not wait for goroutines that have yet to arm their timers, and
// Wrap cannot mend that. Call Add inside a testing/synctest bubble, between two
// calls of synctest.Wait, or use package clocktest, which does so.
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

// wrappedTimer is a timer that uses a new AfterFunc for each arming.
//
// No stale tick can be received, although ch stays the same for life. Only arm
// and the fire of the present generation write ch, under mu, hence at most once
// per generation; and disarm, under mu too, begins a new generation and empties
// ch. So ch is empty when disarm returns and stays empty until the timer is
// armed again, and a write never blocks. The lock is held over calls of the
// clock, which never calls back while holding a lock.
type wrappedTimer struct {
	clock benbjohnson.Clock
	ch    chan time.Time // capacity 1

	mu         sync.Mutex
	generation uint64             // counts the disarmings; a late fire of an earlier generation is ignored
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
// Each arming gets a new AfterFunc instead of a Reset of the last AfterFunc: the
// Mock may be about to run the last closure, and only the closure knows the
// generation for which the closure was meant.
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
