package clock_test

import (
	"fmt"
	"time"

	benbjohnson "github.com/benbjohnson/clock"

	"github.com/limitpal/limitpal-go/clock"
)

// A clock of benbjohnson, here its Mock, serves wherever a Clock is wanted.
func ExampleWrap() {
	mock := benbjohnson.NewMock()
	c := clock.Wrap(mock)

	start := c.Now()
	timer := c.NewTimer(time.Minute)
	mock.Add(time.Minute)

	at := <-timer.C()
	fmt.Println(at.Sub(start))
	// Output: 1m0s
}

// A timer needs no draining: the unread tick of the first arming is gone.
func ExampleTimer() {
	timer := clock.System().NewTimer(0)
	timer.Reset(time.Hour)
	select {
	case <-timer.C():
		fmt.Println("stale tick")
	default:
		fmt.Println("not due yet")
	}
	timer.Stop()
	// Output: not due yet
}

// Nanos stands still when the clock is set back.
func ExampleNanos() {
	mock := benbjohnson.NewMock()
	read := clock.Nanos(clock.Wrap(mock))

	mock.Add(3 * time.Second)
	fmt.Println(time.Duration(read()))
	mock.Add(-2 * time.Second)
	fmt.Println(time.Duration(read()))
	// Output:
	// 3s
	// 3s
}
