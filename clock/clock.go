// Package clock is the one place of this module that asks for the time.
//
// Code that needs time takes a [Clock]. In production that is [System]. In a
// test it is System inside a testing/synctest bubble, a mock from package
// clocktest, or a github.com/benbjohnson/clock clock behind [Wrap]. All of
// them pass the same conformance test, so what a timer may and may not do is
// what [Timer] says, whichever clock made it.
//
// A Clock has no Sleep, After, Ticker or WithTimeout. A sleep is a timer and a
// select, and a deadline belongs to a context: what remains of it is
// time.Until(deadline), never the deadline less the Now of a Clock, because a
// mock may stand in another year than the context does.
package clock

import (
	"sync/atomic"
	"time"
)

// A Clock tells the time and makes timers. Its methods may be called by any
// number of goroutines at once.
//
// A Clock may also have a method Nanos() int64: nanoseconds since an instant
// of the clock's own choosing, which never run back and may be read by any
// number of goroutines at once. [Nanos] uses it in place of Now, because one
// monotonic reading costs about half of a Now.
type Clock interface {
	// Now returns the current instant. It may run back, as the wall clock of a
	// mock or of another host can; use [Nanos] where that matters.
	Now() time.Time

	// NewTimer returns a timer that fires once, d from now. A timer whose d is
	// zero or negative has fired when NewTimer returns. A timer that is no
	// longer wanted should be stopped: some clocks keep it until it is due.
	NewTimer(d time.Duration) Timer
}

// A Timer fires once for each time that it is armed, by NewTimer or by Reset.
// It is what time.Timer has been since Go 1.23: nobody needs to drain its
// channel, neither before Reset nor after Stop.
//
// The methods of a Timer may be called by any number of goroutines at once.
type Timer interface {
	// C returns the channel on which the instant of firing is delivered. It is
	// the same channel for the whole life of the timer, so a goroutine that
	// waits on it gets the tick of a later Reset too. It is never closed.
	C() <-chan time.Time

	// Stop disarms the timer. No tick can be received after Stop has returned,
	// until the next Reset; one that had fired and was not received is
	// dropped. Stop reports whether it kept a tick from being received: false
	// means that the tick was received before, or that the timer was stopped.
	Stop() bool

	// Reset disarms the timer as Stop does, then arms it to fire d from now.
	// If d is zero or negative, it has fired when Reset returns. The result is
	// that of Stop.
	Reset(d time.Duration) bool
}

// Nanos returns a function that reads c as nanoseconds since this call of
// Nanos. What it returns starts at zero and never runs back, over all
// goroutines together: a reading that began after another ended is not less.
// Any number of goroutines may call it at once, and it takes no lock of its
// own.
//
// If c has the optional method described at [Clock], the function is that
// method less its first reading. Otherwise it is c.Now less its first reading,
// held at the largest value seen so far while c runs behind it. The range is
// that of time.Duration, about 292 years.
func Nanos(c Clock) func() int64 {
	if _, ok := c.(*system); ok {
		base := time.Now()
		return func() int64 { return int64(time.Since(base)) } // one call less than by its method
	}
	if n, ok := c.(interface{ Nanos() int64 }); ok {
		base := n.Nanos()
		return func() int64 { return n.Nanos() - base }
	}
	r := &clamped{clock: c, base: c.Now()}
	return r.read
}

// clamped turns a clock that may run back into readings that do not.
type clamped struct {
	clock Clock
	base  time.Time
	last  atomic.Int64 // largest reading handed out
}

// read returns the reading of the clock or the largest one before it,
// whichever is later. A lost CAS means that another reader moved last
// forward, so that some reader always makes progress.
func (r *clamped) read() int64 {
	now := int64(r.clock.Now().Sub(r.base))
	for {
		last := r.last.Load()
		if now <= last {
			return last
		}
		if r.last.CompareAndSwap(last, now) {
			return now
		}
	}
}
