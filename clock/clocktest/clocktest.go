// Package clocktest tests code that takes a clock.Clock, without waiting in
// real time.
//
// [Run] opens a testing/synctest bubble and makes a [Mock] in it. The test
// moves the Mock with [Mock.Advance]. When Advance returns, everything that is
// due by then has happened and can be asserted, with no sleep and no polling.
//
// # Two clocks in step
//
// There are two clocks in the bubble. Package time and the deadlines of contexts
// read the bubble's clock. Code under test reads the Mock. Advance moves both
// clocks together, from each instant at which something is due to the next, so
// that the clocks agree on order and on durations: under
// Advance(10*time.Second) a timer of 3 s fires, with all consequences, before a
// context of 5 s ends. At the same instant contexts and other timers of package
// time come first, then the Mock's timers in the order of arming.
//
// The clocks do not agree on the date: a bubble starts at midnight UTC of
// 2000-01-01 and a Mock at the Unix epoch. Code that compares instants of
// different clocks is wrong in production too, and fails here.
//
// Bubble time that passes outside Advance, because the test slept or waited for
// a context, does not move the Mock.
//
// # What must be in the bubble
//
// Make everything that waits for a timer inside f: an engine with all channels
// and goroutines. Every goroutine must have ended when f and the cleanups of f
// return; otherwise testing/synctest fails the test. A goroutine that blocks on
// a mutex, on I/O or on a channel from outside the bubble is not at rest, and
// Advance waits for that goroutine.
package clocktest

import (
	"testing"
	"testing/synctest"
)

// Run calls f in a new testing/synctest bubble with a new [Mock], and returns
// when f, the cleanups of the bubble's t and every goroutine of the bubble have
// ended. The t given to f is the bubble's: use that t instead of the outer t,
// and do not call the methods Run, Parallel and Deadline of that t. Run must not
// be called inside a bubble.
func Run(t *testing.T, f func(t *testing.T, m *Mock)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMock()
		// Registered first, hence run last: a cleanup of f may still Advance.
		t.Cleanup(m.adds.Wait)
		f(t, m)
	})
}
