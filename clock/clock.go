// Package clock is the one place of this module that asks for the time.
//
// Code that needs time takes a [Clock]. Production code uses [System]. A test
// uses System inside a testing/synctest bubble, a mock from package clocktest,
// or a github.com/benbjohnson/clock clock behind [Wrap]. All of these clocks
// pass the same conformance test: the timers of every clock keep the contract
// of [Timer].
//
// A Clock has no Sleep, After, Ticker or WithTimeout. A sleep is a timer and a
// select. A deadline belongs to a context: the time that remains is
// time.Until(deadline), never the deadline less the Now of a Clock, because a
// mock may stand in another year than the context does.
package clock

import "time"

// A Clock tells the time and makes timers. Any number of goroutines may call
// the methods at once.
//
// A Clock may also have a method Nanos() int64: nanoseconds since an instant of
// the clock's own choosing. The nanoseconds never run back, and any number of
// goroutines may read them at once. [Nanos] calls that method in place of Now,
// because a monotonic reading costs about half of a Now.
type Clock interface {
	// Now returns the current instant. The instants may run back, as the wall
	// clock of a mock or of another host can; use [Nanos] where that matters.
	Now() time.Time

	// NewTimer returns a timer that fires once, d from now. A timer whose d is
	// zero or negative has fired when NewTimer returns. Stop a timer that is no
	// longer wanted: some clocks keep every timer until the timer is due.
	NewTimer(d time.Duration) Timer
}

// A Timer fires once for each time that NewTimer or Reset arms the timer. As
// with time.Timer since Go 1.23, nobody needs to drain the channel, neither
// before Reset nor after Stop.
//
// Any number of goroutines may call the methods of a Timer at once.
type Timer interface {
	// C returns the channel that delivers the instant of firing. The timer has
	// the same channel for life, so a goroutine that waits on the channel gets
	// the tick of a later Reset too. The channel is never closed.
	C() <-chan time.Time

	// Stop disarms the timer. After Stop has returned, no tick can be received
	// until the next Reset; a tick that nobody has received is dropped. Stop
	// reports whether Stop kept a tick from being received: false means that the
	// tick was received before, or that the timer was stopped.
	Stop() bool

	// Reset disarms the timer as Stop does, then arms the timer to fire d from
	// now. If d is zero or negative, the timer has fired when Reset returns. The
	// result is that of Stop.
	Reset(d time.Duration) bool
}
