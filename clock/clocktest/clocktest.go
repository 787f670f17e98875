// Package clocktest tests code that takes a clock.Clock, without waiting in
// real time.
//
// [Run] opens a testing/synctest bubble and makes a [Mock] in it. The test
// moves the Mock with [Mock.Advance]. When Advance returns, everything that is
// due by then has happened and can be asserted, with no sleep and no polling.
//
// # Two clocks in step
//
// There are two clocks in the bubble. Package time reads the bubble's, and so
// do the deadlines of contexts. Code under test reads the Mock. Advance moves
// both, from one instant at which something is due to the next, so that they
// agree on order and on durations: under Advance(10*time.Second) a timer of
// 3 s fires, and all that it causes happens, before a context of 5 s ends. At
// one and the same instant contexts and other timers of package time come
// first, then the Mock's timers, in the order in which they were armed.
//
// They do not agree on the date: a bubble starts at midnight UTC of 2000-01-01
// and a Mock at the Unix epoch. Code that compares an instant of one with an
// instant of the other is wrong in production too, and is shown to be so.
//
// Bubble time that passes outside Advance, because the test slept or waited
// for a context, does not move the Mock.
//
// # What must be in the bubble
//
// Whatever waits for a timer must be made by f: an engine, its channels, its
// goroutines. Every goroutine must have ended when f and its cleanups return;
// testing/synctest fails the test otherwise. A goroutine that blocks on a
// mutex, on I/O or on a channel from outside the bubble is not at rest, and
// Advance waits for it.
package clocktest

import (
	"testing"
	"testing/synctest"
)

// Run calls f in a new testing/synctest bubble with a new [Mock], and returns
// when f, the cleanups of the bubble's t and every goroutine of the bubble
// have ended. The t given to f is the bubble's: use it instead of the outer
// one, and do not call its Run, Parallel or Deadline. Run must not be called
// inside a bubble.
func Run(t *testing.T, f func(t *testing.T, m *Mock)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMock()
		// Registered first, hence run last: a cleanup of f may still Advance.
		t.Cleanup(m.adds.Wait)
		f(t, m)
	})
}
