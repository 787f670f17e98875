package actors_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/clock"
)

// method is one of a clock's or a timer's.
type method uint32

const (
	now method = 1 << iota
	newTimer
	channel
	reset
	stop
	all = 1<<iota - 1
)

// fragile is the system's clock, but those of its methods that are broken do as they like.
type fragile struct {
	clock.Clock
	broken atomic.Uint32
	does   func()
}

func newFragile(does func()) *fragile { return &fragile{Clock: clock.System(), does: does} }

func panics() { panic("the clock is broken") }

func (f *fragile) fails(m method) { f.broken.Store(uint32(m)) }

func (f *fragile) mend() { f.broken.Store(0) }

func (f *fragile) at(m method) {
	if f.broken.Load()&uint32(m) != 0 {
		f.does()
	}
}

func (f *fragile) Now() time.Time {
	f.at(now)
	return f.Clock.Now()
}

func (f *fragile) NewTimer(d time.Duration) clock.Timer {
	f.at(newTimer)
	return fragileTimer{f.Clock.NewTimer(d), f}
}

type fragileTimer struct {
	clock.Timer
	f *fragile
}

func (t fragileTimer) C() <-chan time.Time {
	t.f.at(channel)
	return t.Timer.C()
}

func (t fragileTimer) Reset(d time.Duration) bool {
	t.f.at(reset)
	return t.Timer.Reset(d)
}

func (t fragileTimer) Stop() bool {
	t.f.at(stop)
	return t.Timer.Stop()
}

// eachFailure runs f with every method of the clock broken in turn, and with all of them.
func eachFailure(t *testing.T, f func(t *testing.T, c *fragile, m method)) {
	for does, g := range map[string]func(){"panics": panics, "Goexit": runtime.Goexit} {
		for name, m := range map[string]method{
			"Now": now, "NewTimer": newTimer, "C": channel, "Reset": reset, "Stop": stop, "all": all,
		} {
			t.Run(name+" "+does, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { f(t, newFragile(g), m) })
			})
		}
	}
}

// TestTheSupervisorOutlivesABrokenClock: the process used to end. When the clock is well again cells are forgotten again.
func TestTheSupervisorOutlivesABrokenClock(t *testing.T) {
	eachFailure(t, func(t *testing.T, c *fragile, m method) {
		s := open(t, &script{}, actors.Config{IdleAfter: idle, Clock: c}, nil)
		linger(t, s, "a")
		require.NoError(t, do(t, s, "a", toForget))
		cellOf(t, s, "b")
		c.fails(m)
		after(10 * idle)
		c.mend()
		after(2*idle + time.Second)
		require.Equal(t, 0, s.Stats().Keys)
		require.Equal(t, 0, s.Stats().Actors)
	})
}

// TestAnActorOutlivesABrokenClock that breaks while the actor owes something, waits for a wake, and is sent messages. All that is owed is
// answered, the state is as it was after the last turn, and when the clock is well again all is as before, at once.
func TestAnActorOutlivesABrokenClock(t *testing.T) {
	eachFailure(t, func(t *testing.T, c *fragile, m method) {
		var wakes atomic.Int64
		b := &script{wake: func(now int64, s *state) actors.Next {
			wakes.Add(1)
			for _, answer := range s.owed {
				answer(nil)
			}
			s.owed = nil
			return rest(now)
		}}
		s := open(t, b, actors.Config{IdleAfter: idle, RestartBudget: 1, RestartWindow: time.Hour, Clock: c}, nil)
		debt := func(owed chan error, d time.Duration) turn {
			return func(now int64, st *state) actors.Next {
				st.n++
				next := owe(owed)(now, st)
				next.Wake = now + int64(d)
				return next
			}
		}
		send := func(f turn) { // whatever becomes of it
			defer func() { _ = recover() }()
			_ = s.Send(context.Background(), cellOf(t, s, "a"), message{turn: f, refuse: func(error) {}})
		}
		owed := make(chan error, 100)
		require.NoError(t, do(t, s, "a", debt(owed, time.Second)))
		c.fails(m)
		for range 10 { // more than the budget
			send(add(0))
			send(debt(make(chan error, 100), time.Millisecond))
			after(time.Second)
		}
		after(time.Minute)
		c.mend()
		_ = first(t, owed) // with the panic, or in its turn
		require.Empty(t, owed, "once")

		n := number(t, s, "a")
		require.Positive(t, n)
		require.NoError(t, do(t, s, "a", add(1)), "no refusal outlives the broken clock")
		require.Equal(t, n+1, number(t, s, "a"))
		require.NoError(t, do(t, s, "a", debt(owed, time.Second)))
		woken := wakes.Load()
		after(time.Second)
		require.NoError(t, first(t, owed))
		require.Equal(t, woken+1, wakes.Load(), "in time")
		after(2 * idle)
		require.Zero(t, s.Stats().Actors)
	})
}

// TestAnActorWithABrokenClockDoesNotSpin while it has a wake to come that no failure takes away.
func TestAnActorWithABrokenClockDoesNotSpin(t *testing.T) {
	due := func(now int64, _ *state, _ error) actors.Next {
		return actors.Next{Wake: now + 1, Forget: actors.Never}
	}
	eachFailure(t, func(t *testing.T, c *fragile, m method) {
		b := &script{fail: due}
		s := open(t, b, actors.Config{Clock: c}, nil)
		c.fails(m &^ now)
		require.NoError(t, do(t, s, "a", func(now int64, st *state) actors.Next { return due(now, st, nil) }))
		c.fails(m)
		after(time.Minute)
		require.LessOrEqual(t, s.Stats().Restarts, uint64(100))
		c.mend()
		require.NoError(t, do(t, s, "a", add(1)))
	})
}

// TestABrokenClockLeavesNoLockHeld: whoever comes with a new key when there is no room has the panic, and the next one finds all in order.
func TestABrokenClockLeavesNoLockHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFragile(panics)
		var gone tape[string]
		s := open(t, spilling(&gone), actors.Config{MaxKeys: 2, IdleAfter: idle, Clock: c}, nil)
		require.NoError(t, do(t, s, "a", add(1)))
		require.NoError(t, do(t, s, "b", add(2)))
		c.fails(all)
		for range 3 {
			require.PanicsWithValue(t, "the clock is broken", func() { _, _ = s.Cell("c") })
			require.Equal(t, 2, s.Stats().Keys)
			cellOf(t, s, "a") // needs no clock
		}
		require.Empty(t, gone.get())
		c.mend()
		require.NoError(t, do(t, s, "c", add(3)))
		require.Equal(t, []string{"a 1"}, gone.get())
	})
}

// TestCloseWithABrokenClock ends every goroutine all the same.
func TestCloseWithABrokenClock(t *testing.T) {
	eachFailure(t, func(t *testing.T, c *fragile, m method) {
		s, err := actors.New(&script{}, actors.Config{IdleAfter: idle, Clock: c})
		require.NoError(t, err)
		owed := make(chan error, 2)
		require.NoError(t, do(t, s, "a", func(now int64, st *state) actors.Next {
			next := owe(owed)(now, st)
			next.Wake = now + int64(time.Hour)
			return next
		}))
		linger(t, s, "b")
		synctest.Wait()
		c.fails(m)
		after(time.Duration(m) * time.Second) // long enough for a sweep, or not
		require.NoError(t, s.Close(t.Context()))
		require.Len(t, owed, 1, "answered once")
		require.Zero(t, s.Stats().Actors)
	})
}

// TestASystemIsMadeWithABrokenClock: the panic is the caller's, or there is none.
func TestASystemIsMadeWithABrokenClock(t *testing.T) {
	eachFailure(t, func(t *testing.T, c *fragile, m method) {
		c.fails(m &^ now)
		s, err := actors.New(&script{}, actors.Config{IdleAfter: idle, Clock: c})
		require.NoError(t, err)
		for i := range 10 {
			require.NoError(t, do(t, s, fmt.Sprint(i), toForget))
		}
		after(time.Minute)
		c.mend()
		after(2*idle + time.Second)
		require.Zero(t, s.Stats().Keys)
		require.NoError(t, s.Close(t.Context()))
	})
}
