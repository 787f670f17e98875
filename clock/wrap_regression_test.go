package clock_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	benbjohnson "github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
)

// The faults C1 to C5 of the benbjohnson Mock, one test each. Where it is cheap
// the test shows the fault first, so that it is seen to be one.

func TestWrapC1ResetWithoutDrainDoesNotDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := benbjohnson.NewMock()
		timer := mock.Timer(time.Second)
		mock.Add(time.Second)
		timer.Reset(time.Second)
		added := make(chan struct{})
		go func() { mock.Add(time.Second); close(added) }() // ends with the receive below
		time.Sleep(time.Hour)
		select {
		case <-added:
			require.Fail(t, "the Mock no longer has the fault")
		default: // stuck in a send, with the Mock's lock held
		}
		<-timer.C
		<-added
	})
	synctest.Test(t, func(t *testing.T) {
		mock := benbjohnson.NewMock()
		timer := clock.Wrap(mock).NewTimer(time.Second)
		mock.Add(time.Second)
		timer.Reset(time.Second)
		mock.Add(time.Second)
		require.True(t, fired(timer))
		require.False(t, fired(timer))
	})
}

// On the raw Mock, Timer(0) in one goroutine and Add in another may run the
// same timer twice, which deadlocks; it takes some hundred rounds.
func TestWrapC2ZeroTimerDuringAddFiresOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := benbjohnson.NewMock()
		c := clock.Wrap(mock)
		var makers sync.WaitGroup
		ticks := make([]int, 8)
		for i := range ticks {
			makers.Go(func() {
				for range 200 {
					timer := c.NewTimer(0)
					for fired(timer) {
						ticks[i]++
					}
				}
			})
		}
		for range 200 {
			mock.Add(time.Millisecond)
		}
		makers.Wait()
		for _, n := range ticks {
			require.Equal(t, 200, n)
		}
	})
}

func TestWrapC3DurationsOfZeroOrLessAndStaleTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := benbjohnson.NewMock()
		start := mock.Now()
		mock.Timer(-5 * time.Second)
		require.Equal(t, -5*time.Second, mock.Now().Sub(start), "fault: time moves back")
		timer := mock.Timer(time.Second)
		timer.Reset(0)
		require.Empty(t, timer.C, "fault: Reset(0) does not fire")
		mock.Add(time.Second)
		timer.Stop()
		require.Len(t, timer.C, 1, "fault: stale tick after Stop")
	})
	synctest.Test(t, func(t *testing.T) {
		mock := benbjohnson.NewMock()
		start := mock.Now()
		timer := clock.Wrap(mock).NewTimer(-5 * time.Second)
		require.Equal(t, start, mock.Now())
		require.True(t, fired(timer))
		timer.Reset(0)
		require.True(t, fired(timer))
		timer.Reset(time.Second)
		mock.Add(time.Second)
		timer.Stop()
		require.False(t, fired(timer))
	})
}

// The contexts of the Mock have a race and leak a goroutine each, and its older
// versions called back under their lock. Wrap has no contexts, and whoever
// gets a tick may use the clock and the timer at once. The conformance test
// runs Wrap over a clock whose other methods panic.
func TestWrapC4NothingIsCalledUnderTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := benbjohnson.NewMock()
		c := clock.Wrap(mock)
		timer := c.NewTimer(time.Second)
		var at time.Duration
		got := make(chan struct{})
		go func() { // ends with the second tick
			defer close(got)
			start := <-timer.C()
			timer.Reset(time.Second)
			c.NewTimer(time.Second).Stop()
			at = (<-timer.C()).Sub(start)
			mock.Now()
		}()
		adder(mock)(2 * time.Second)
		<-got
		require.Equal(t, time.Second, at)
	})
}

// Without the Wait before Add, the goroutine has not armed its timer when the
// Mock moves, and the tick is missed.
func TestWrapC5GoroutineNotYetArmedIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := benbjohnson.NewMock()
		c := clock.Wrap(mock)
		advance := adder(mock)
		for range 300 {
			got := make(chan time.Time, 1)
			go func() { got <- <-c.NewTimer(time.Second).C() }()
			advance(time.Second)
			require.Len(t, got, 1)
		}
	})
}

// A callback that the Mock has started, but that has not run when its timer is
// armed again, must not fire the new arming.
func TestWrapLateCallbackDoesNotFireALaterArming(t *testing.T) {
	late := &manual{Clock: benbjohnson.NewMock()}
	timer := clock.Wrap(late).NewTimer(time.Second)
	timer.Reset(time.Hour)
	late.calls[0]()
	require.False(t, fired(timer))
	timer.Stop()
	late.calls[1]()
	require.False(t, fired(timer))
	timer.Reset(time.Second)
	late.calls[2]()
	require.True(t, fired(timer))
	require.False(t, timer.Stop())
}

// manual keeps the callbacks of AfterFunc for the test to run.
type manual struct {
	benbjohnson.Clock
	calls []func()
}

func (m *manual) AfterFunc(d time.Duration, f func()) *benbjohnson.Timer {
	m.calls = append(m.calls, f)
	return m.Clock.AfterFunc(d, func() {})
}

func TestWrapOfNilPanics(t *testing.T) {
	require.PanicsWithValue(t, "clock: Wrap of a nil clock", func() { clock.Wrap(nil) })
}
