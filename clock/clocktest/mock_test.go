package clocktest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock/clocktest"
)

// fired reports whether a tick can be received now.
func fired(ch <-chan time.Time) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func TestAdvanceEndsContextsBeforeLaterTimers(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		timer := m.NewTimer(10 * time.Second)
		m.Advance(7 * time.Second)
		require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
		require.False(t, fired(timer.C()))
		m.Advance(3 * time.Second)
		require.True(t, fired(timer.C()))
	})
}

func TestAdvanceSettlesATimerBeforeALaterContext(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		timer := m.NewTimer(3 * time.Second)
		var at []time.Duration
		start := m.Now()
		hop := make(chan error)
		first := hop
		for range 50 {
			from, to := hop, make(chan error)
			go func() { to <- <-from }() // ends with the timer
			hop = to
		}
		go func() { // ends with the timer
			<-timer.C()
			first <- ctx.Err()
		}()
		var ended error
		go func() { // ends with the timer
			ended = <-hop
			at = append(at, m.Now().Sub(start))
		}()
		context.AfterFunc(ctx, func() { at = append(at, m.Now().Sub(start)) })
		m.Advance(10 * time.Second)
		require.NoError(t, ended)
		require.Equal(t, []time.Duration{3 * time.Second, 5 * time.Second}, at)
	})
}

// A timer that is armed because a context ended, in the midst of a step, is
// armed from the instant of that end and fires when due.
func TestAdvanceFiresATimerArmedByAContext(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		start := m.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var at time.Duration
		context.AfterFunc(ctx, func() { at = (<-m.NewTimer(time.Second).C()).Sub(start) })
		late := m.NewTimer(6500 * time.Millisecond)
		m.Advance(7 * time.Second)
		require.Equal(t, 6*time.Second, at)
		require.True(t, fired(late.C()))
		requireInStep(t, m, start)
	})
}

// At one instant the context comes first, then the timers as they were armed.
func TestAdvanceOrderAtOneInstant(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		const timers = 100
		var order []int
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for i := range timers {
			timer := m.NewTimer(time.Hour)
			timer.Reset(time.Minute)
			go func() { // ends with the timer
				<-timer.C()
				order = append(order, i) // no lock: one runs after the other
			}()
		}
		context.AfterFunc(ctx, func() { order = append(order, -1) })
		m.Advance(time.Minute)
		require.Len(t, order, timers+1)
		require.IsIncreasing(t, order)
	})
}

func TestAdvanceFiresTimersArmedByTimers(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		start := m.Now()
		var at []time.Duration
		go func() { // ends after ten timers
			for range 10 {
				tick := <-m.NewTimer(time.Second).C()
				at = append(at, tick.Sub(start))
			}
		}()
		m.Advance(9*time.Second + 1)
		require.Len(t, at, 9)
		m.Advance(time.Hour)
		require.Len(t, at, 10)
		for i := range at {
			require.Equal(t, time.Duration(i+1)*time.Second, at[i])
		}
	})
}

// A timer that an earlier timer of the same instant stops does not fire.
func TestAdvanceDoesNotFireATimerStoppedAtItsInstant(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		first, second := m.NewTimer(time.Second), m.NewTimer(time.Second)
		stopped := false
		go func() { // ends with the first timer
			<-first.C()
			stopped = second.Stop()
		}()
		m.Advance(time.Second)
		require.True(t, stopped)
		require.False(t, fired(second.C()))
	})
}

func TestAdvanceZeroSettles(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		start, ran := m.Now(), false
		timer := m.NewTimer(1)
		go func() { ran = true }()
		m.Advance(0)
		require.True(t, ran)
		require.False(t, fired(timer.C()))
		requireInStep(t, m, start)
	})
}

// Bubble time that passes outside Advance does not move the Mock.
func TestAdvanceAfterASleep(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		start := m.Now()
		timer := m.NewTimer(2 * time.Second)
		time.Sleep(time.Hour)
		require.Equal(t, start, m.Now())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		m.Advance(2*time.Second - 1)
		require.Error(t, ctx.Err())
		require.False(t, fired(timer.C()))
		m.Advance(1)
		require.True(t, fired(timer.C()))
	})
}

func TestAdvancePanics(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		require.PanicsWithValue(t, "clocktest: Advance by a negative duration",
			func() { m.Advance(-1) })
		var second any
		timer := m.NewTimer(time.Second)
		go func() { // ends with the timer, while the Advance below runs
			defer func() { second = recover() }()
			<-timer.C()
			m.Advance(1)
		}()
		m.Advance(time.Second)
		require.Equal(t, "clocktest: Advance called while another Advance runs", second)
	})
}

// A cleanup runs in the bubble and may still move the Mock.
func TestRunLetsCleanupsAdvance(t *testing.T) {
	fires := false
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		timer := m.NewTimer(time.Minute)
		t.Cleanup(func() {
			m.Advance(time.Minute)
			fires = fired(timer.C())
		})
	})
	require.True(t, fires)
}

// A sleeping goroutine holds the Advance only for the bubble's time.
func TestAdvanceRunsSleepersToo(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		var woke []time.Duration
		start := m.Now()
		go func() { // ends after three sleeps
			for range 3 {
				time.Sleep(time.Second)
				woke = append(woke, m.Now().Sub(start))
			}
		}()
		m.Advance(time.Hour)
		synctest.Wait()
		require.Equal(t, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}, woke)
	})
}
