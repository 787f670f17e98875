package clock

import "time"

// System returns the clock of the operating system, as package time reads that
// clock. Use System unless a test says otherwise.
//
// Inside a testing/synctest bubble the clock follows the clock of the bubble.
// Call System inside the bubble: System takes the base for Nanos when called,
// and the clock of a bubble does not compare with the clock outside.
//
// The clock has the optional method Nanos described at [Clock]: time.Since of
// the base, a monotonic reading, which does not run back when the wall clock is
// set.
//
// The timers are those of time.NewTimer. Since Go 1.23 these need no draining:
// after Stop or Reset no stale tick can be received. That is void for a program
// built with GODEBUG=asynctimerchan=1.
func System() Clock {
	return &system{base: time.Now()}
}

// system keeps a base of its own, so that the package has no state.
type system struct {
	base time.Time
}

// Now is time.Now.
func (*system) Now() time.Time { return time.Now() }

// NewTimer is time.NewTimer.
func (*system) NewTimer(d time.Duration) Timer {
	return systemTimer{time.NewTimer(d)}
}

// Nanos returns the nanoseconds since the clock was made.
func (s *system) Nanos() int64 { return int64(time.Since(s.base)) }

// systemTimer is one pointer, so that an interface holds it without a second
// allocation.
type systemTimer struct {
	timer *time.Timer
}

func (t systemTimer) C() <-chan time.Time { return t.timer.C }

func (t systemTimer) Stop() bool { return t.timer.Stop() }

func (t systemTimer) Reset(d time.Duration) bool { return t.timer.Reset(d) }
