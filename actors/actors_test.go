package actors_test

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/clock/clocktest"
	"github.com/limitpal/limitpal-go/mailbox"
)

// idle is the IdleAfter of most tests: the supervisor looks every second.
const idle = 8 * time.Second

// after lets the bubble's time pass and everything due happen.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestAnActorIsBornWithTheFirstMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{IdleAfter: idle}, nil)
		require.Zero(t, s.Stats())
		_, found := s.Find("a")
		require.False(t, found)
		require.Zero(t, s.Stats(), "Find never creates")

		c := cellOf(t, s, "a")
		require.Equal(t, "a", c.Key())
		require.Equal(t, actors.Stats{Keys: 1}, s.Stats(), "a cell needs no goroutine")
		again, found := s.Find("a")
		require.True(t, found)
		require.Same(t, c, again)
		require.Same(t, c, cellOf(t, s, "a"))

		require.NoError(t, do(t, s, "a", add(1)))
		require.NoError(t, do(t, s, "b", add(2)))
		synctest.Wait()
		require.Equal(t, actors.Stats{Keys: 2}, s.Stats(), "nothing is to come, and the goroutines have ended")
		require.Equal(t, 1, number(t, s, "a"))
		require.Equal(t, 2, number(t, s, "b"))
		require.EqualValues(t, 2, c.Published.turns.Load(), "readable by callers")
	})
}

func TestTurnsComeInTheOrderOfTheMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{Mailbox: 64}, nil)
		var got []int // by one goroutine: the actor's
		for i := range 50 {
			post(t, s, "a", func(now int64, _ *state) actors.Next {
				got = append(got, i)
				return rest(now)
			})
		}
		synctest.Wait()
		require.Len(t, got, 50)
		require.IsIncreasing(t, got)
	})
}

func TestAnIdleActorLeavesAndItsStateStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{IdleAfter: idle}, nil)
		linger(t, s, "a")
		require.NoError(t, do(t, s, "a", add(7)))
		after(idle - 1)
		require.Equal(t, 1, s.Stats().Actors)
		after(1)
		require.Equal(t, actors.Stats{Keys: 1}, s.Stats(), "its goroutine has ended, its cell is there")
		require.Equal(t, 7, number(t, s, "a"), "in a new actor")
	})
}

func TestAnActorThatIsUsedDoesNotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{IdleAfter: idle}, nil)
		linger(t, s, "a")
		for range 10 {
			require.NoError(t, do(t, s, "a", add(1)))
			after(idle - time.Second)
			require.Equal(t, 1, s.Stats().Actors)
		}
		after(2 * time.Second)
		require.Zero(t, s.Stats().Actors)
	})
}

func TestAQuestionIsNotAUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{IdleAfter: idle}, nil)
		linger(t, s, "a")
		require.NoError(t, do(t, s, "a", add(1)))
		for range 7 {
			after(time.Second)
			require.Equal(t, 1, number(t, s, "a"))
		}
		require.Equal(t, 1, s.Stats().Actors)
		after(time.Second)
		require.Zero(t, s.Stats().Actors, "eight seconds after the use, one after the last question")

		linger(t, s, "a")
		require.Equal(t, 1, s.Stats().Actors)
		after(time.Second)
		require.Zero(t, s.Stats().Actors, "started for questions only")
	})
}

func TestAnActorWithAWakeToComeStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var woken tape[time.Duration]
		b := &script{wake: func(now int64, _ *state) actors.Next {
			woken.add(time.Duration(now - born))
			return rest(now)
		}}
		s := open(t, b, actors.Config{IdleAfter: idle}, nil)
		require.NoError(t, do(t, s, "a", func(int64, *state) actors.Next {
			return actors.Next{Wake: born + int64(5*idle), Forget: actors.Never, Used: born}
		}))
		after(5*idle - 1)
		require.Empty(t, woken.get())
		require.Equal(t, 1, s.Stats().Actors, "idle for long, but it has something to do")
		after(1)
		require.Equal(t, []time.Duration{5 * idle}, woken.get(), "at the exact instant")
		require.Zero(t, s.Stats().Actors, "and leaves when it has done that")
		after(idle)
		require.Len(t, woken.get(), 1)
	})
}

// TestWakeFollowsTheLastTurn is A17: the instant is taken anew from every turn, so that no wake-up is lost.
func TestWakeFollowsTheLastTurn(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		var woken tape[int64]
		b := &script{wake: func(now int64, s *state) actors.Next {
			woken.add(now)
			if s.n--; s.n > 0 {
				return actors.Next{Wake: now + 10, Forget: actors.Never} // once more
			}
			return rest(now)
		}}
		s := open(t, b, actors.Config{Clock: m}, nil)
		at := func(wake int64) turn {
			return func(int64, *state) actors.Next { return actors.Next{Wake: born + wake, Forget: actors.Never} }
		}
		for _, wake := range []int64{100, 100, never, 70, 50, 60} { // set, same, off, on, earlier, later
			require.NoError(t, do(t, s, "a", at(wake)))
			m.Advance(1)
		}
		m.Advance(60 - 6 - 1)
		require.Empty(t, woken.get())
		m.Advance(1)
		require.Equal(t, []int64{born + 60}, woken.get())

		require.NoError(t, do(t, s, "a", func(now int64, s *state) actors.Next {
			s.n = 3
			return actors.Next{Wake: now + 10, Forget: actors.Never}
		}))
		m.Advance(time.Hour)
		require.Equal(t, []int64{born + 60, born + 70, born + 80, born + 90}, woken.get(), "rearmed by Wake itself")

		require.NoError(t, do(t, s, "a", at(1)))
		m.Advance(0)
		require.Len(t, woken.get(), 5, "an instant that has passed is now")

		require.NoError(t, do(t, s, "a", at(s.Now()+10-born)))
		require.NoError(t, do(t, s, "a", at(never)))
		m.Advance(time.Hour)
		require.Len(t, woken.get(), 5, "cancelled")
	})
}

func TestACellIsForgottenWhenItsTimeHasComeAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &script{born: func(int64) actors.Next { return rest(0) }}
		s := open(t, b, actors.Config{IdleAfter: idle}, nil)
		require.NoError(t, do(t, s, "a", func(int64, *state) actors.Next {
			return actors.Next{Wake: actors.Never, Forget: born + int64(20*time.Second+1)}
		}))
		cell := cellOf(t, s, "a")
		after(20 * time.Second)
		require.Equal(t, actors.Stats{Keys: 1}, s.Stats(), "a cell at rest")
		after(time.Second)
		require.Equal(t, actors.Stats{Evicted: 1}, s.Stats())
		_, found := s.Find("a")
		require.False(t, found)
		err := s.Send(t.Context(), cell, message{})
		require.ErrorIs(t, err, actors.ErrRetired)

		require.Zero(t, number(t, s, "a"), "a new one")
		require.NotSame(t, cell, cellOf(t, s, "a"))

		linger(t, s, "a")
		require.NoError(t, do(t, s, "a", func(now int64, _ *state) actors.Next { return fresh(now) }))
		require.NotZero(t, s.Stats().Actors)
		after(idle)
		require.Equal(t, actors.Stats{Evicted: 2}, s.Stats(), "by its actor, as it left")
	})
}

func TestKeysAreThoseThatHaveACell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{}, nil)
		for _, key := range []string{"a", "b", "", "c"} {
			cellOf(t, s, key)
		}
		var got []string
		for key := range s.Keys() {
			got = append(got, key)
		}
		require.ElementsMatch(t, []string{"a", "b", "", "c"}, got)
		for range s.Keys() {
			break
		}
	})
}

func TestTheSystemKeepsNoKeyOfItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{}, nil)
		page := []byte("a key in a page of a megabyte")
		key := unsafe.String(&page[0], 5)
		c := cellOf(t, s, key)
		copy(page, "XXXXXXX")
		require.Equal(t, "a key", c.Key())
		got, found := s.Find("a key")
		require.True(t, found)
		require.Same(t, c, got)
	})
}

func TestAFullMailboxIsBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{Mailbox: 2}, nil)
		g := newGate()
		post(t, s, "a", g.turn)
		<-g.started
		post(t, s, "a", add(1))
		post(t, s, "a", add(1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		refused := func(error) { t.Error("a message that was not accepted is not refused either") }
		err := s.Send(ctx, cellOf(t, s, "a"), message{refuse: refused})
		require.ErrorIs(t, err, mailbox.ErrExpired)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, s.Send(ctx, cellOf(t, s, "a"), message{refuse: refused}), context.DeadlineExceeded, "expired before")
		close(g.release)
		require.Equal(t, 2, number(t, s, "a"))
	})
}

func TestConfigIsValidated(t *testing.T) {
	_, err := actors.New(&script{}, actors.Config{MaxKeys: -1, IdleAfter: -2, Mailbox: -3, RestartBudget: -4, RestartWindow: -5})
	for i, name := range []string{"MaxKeys", "IdleAfter", "Mailbox", "RestartBudget", "RestartWindow"} {
		require.ErrorContains(t, err, fmt.Sprintf("actors: Config.%s = -%d: must not be negative", name, i+1))
	}
	if strconv.IntSize == 64 {
		_, err = actors.New(&script{}, actors.Config{MaxKeys: math.MaxInt})
		require.ErrorContains(t, err, "actors: Config.MaxKeys = 9223372036854775807: must be at most 2147483647")
	}
}
