package clocktest_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock/clocktest"
)

// What Raw's timers and the shortest steps cost the bubble is made up for.
func TestAdvanceMakesUpForRaw(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		start := m.Now()
		var fires atomic.Int64
		for range 10 {
			m.Raw().AfterFunc(time.Second, func() {
				fires.Add(1)
				if m.Now().Sub(start) > time.Second {
					t.Error("the Mock ran ahead with the bubble")
				}
			})
		}
		m.Advance(time.Second)
		require.EqualValues(t, 10, fires.Load())
		require.Equal(t, time.Second, m.Now().Sub(start))
		m.Advance(time.Second)
		requireInStep(t, m, start)

		for range 10 {
			m.Advance(1)
		}
		m.Advance(time.Second)
		requireInStep(t, m, start)
	})
}

// Raw may be asked for in the midst of an Advance, and its timers used at once.
func TestAdvanceWithRawFromTheMidst(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		start := m.Now()
		var at time.Duration
		timer := m.NewTimer(time.Second)
		go func() { // ends with the second timer
			<-timer.C()
			at = (<-m.Raw().After(time.Second)).Sub(start)
		}()
		m.Advance(time.Minute)
		require.Equal(t, 2*time.Second, at)
		m.Advance(time.Minute)
		requireInStep(t, m, start)
	})
}

// A timer that Raw's own Add has passed fires in the next Advance.
func TestAdvanceAfterRawAdd(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		start := m.Now()
		timer := m.NewTimer(time.Second)
		m.Raw().Add(time.Minute)
		require.Equal(t, time.Minute, m.Now().Sub(start))
		require.False(t, fired(timer.C()))
		m.Advance(0)
		require.Equal(t, time.Minute, (<-timer.C()).Sub(start))
	})
}
