package enginenet

import (
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAWaitThatHasEndedStaysEnded: an engine that hears of it asks why later. If the deadline had been moved meanwhile and there
// were no reason any more, a call would seem to be paid for.
func TestAWaitThatHasEndedStaysEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d deadline
		d.set(time.Now().Add(time.Second))
		done := d.Done()
		<-done
		d.set(time.Now().Add(time.Hour))
		require.Equal(t, os.ErrDeadlineExceeded, d.Err())
		require.Equal(t, done, d.Done())
		held, waited := d.end()
		require.True(t, waited)
		require.Equal(t, time.Second, held)

		require.NoError(t, d.Err())
		held, waited = d.end()
		require.False(t, waited)
		require.Zero(t, held)
		_, told := d.Deadline()
		require.False(t, told)
	})
}

func TestAnEndSeenBeforeItIsWaitedForClosesTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d deadline
		d.set(time.Now())
		require.Equal(t, os.ErrDeadlineExceeded, d.Err())
		<-d.Done()
		d.end()
		<-d.Done()
		d.end()
		d.close()
		<-d.Done()
		require.Equal(t, net.ErrClosed, d.Err())
		d.end()
		require.Equal(t, net.ErrClosed, d.Err())
	})
}

// TestNoTimerRunsButDuringAWait, so that an idle connection costs none.
func TestNoTimerRunsButDuringAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d deadline
		d.set(time.Now().Add(time.Hour))
		require.NoError(t, d.Err())
		require.Nil(t, d.timer)
		d.Done()
		require.NotNil(t, d.timer)
		d.end()
		require.False(t, d.timer.Stop())
	})
}

// TestATimerOfAnEarlierDeadlineEndsNothing: it may have fired when the deadline was moved.
func TestATimerOfAnEarlierDeadlineEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d deadline
		d.set(time.Now().Add(time.Minute))
		done := d.Done()
		d.expire()
		require.NoError(t, d.Err())
		d.set(time.Time{})
		time.Sleep(time.Hour) // of the bubble
		d.expire()
		require.NoError(t, d.Err())
		d.set(time.Now().Add(time.Minute))
		begun := time.Now()
		<-done
		require.Equal(t, time.Minute, time.Since(begun))
		d.end()
		d.expire() // nobody waits
		require.Nil(t, d.done)
	})
}
