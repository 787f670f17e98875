package actors_test

import (
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
)

// boom is a turn that changes the state and then panics with v.
func boom(v any) turn {
	return func(_ int64, s *state) actors.Next {
		s.n += 1000
		panic(v)
	}
}

// owe is a turn that leaves a debt behind; the channel gets the answer.
func owe(answers chan error) turn {
	return func(now int64, s *state) actors.Next {
		s.owed = append(s.owed[:len(s.owed):len(s.owed)], func(err error) { answers <- err })
		return rest(now)
	}
}

// TestAPanicCostsItsMessageAndWhatWasOwed is A7 and A8: the process lives, the queue is kept, the poison is not replayed.
func TestAPanicCostsItsMessageAndWhatWasOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{Mailbox: 16}, nil)
		owed := make(chan error, 8)
		require.NoError(t, do(t, s, "a", add(5)))
		require.NoError(t, do(t, s, "a", owe(owed)))
		require.NoError(t, do(t, s, "a", owe(owed)))

		g := newGate()
		post(t, s, "a", g.turn)
		poison := post(t, s, "a", boom("poison"))
		var behind []<-chan error
		for range 10 {
			behind = append(behind, post(t, s, "a", add(1)))
		}
		require.Empty(t, owed)
		close(g.release)

		var p *actors.PanicError
		err := first(t, poison)
		require.ErrorAs(t, err, &p)
		require.Equal(t, "a", p.Key)
		require.Equal(t, "poison", p.Value)
		require.Contains(t, string(p.Stack), "supervision_test.go", "the stack is that of the turn")
		require.EqualError(t, err, `actors: a turn of the actor of "a" panicked: poison`)
		for range 2 {
			require.Same(t, p, first(t, owed))
		}
		for _, b := range behind {
			require.NoError(t, first(t, b))
		}
		require.Equal(t, 15, number(t, s, "a"), "the panicked turn is undone, the turns behind it are not")
		require.Empty(t, poison, "answered once")
		require.Empty(t, owed, "answered once")
		require.Equal(t, actors.Stats{Keys: 1, Actors: 1, Restarts: 1}, s.Stats())
	})
}

func TestAPanicInWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &script{wake: boom("wake")}
		s := open(t, b, actors.Config{}, nil)
		owed := make(chan error, 8)
		require.NoError(t, do(t, s, "a", add(3)))
		done := post(t, s, "a", func(now int64, st *state) actors.Next {
			next := owe(owed)(now, st)
			next.Wake = now + int64(time.Second)
			return next
		})
		require.NoError(t, first(t, done))
		after(time.Second)
		var p *actors.PanicError
		require.ErrorAs(t, first(t, owed), &p)
		require.Equal(t, "wake", p.Value)
		require.Equal(t, 3, number(t, s, "a"))
		require.Empty(t, done, "the message of the last turn has had its answer")
		after(time.Hour)
		require.EqualValues(t, 1, s.Stats().Restarts)
	})
}

func TestAPanicInFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &script{fail: func(_ int64, s *state, _ error) actors.Next {
			s.n = -1
			panic("fail")
		}}
		s := open(t, b, actors.Config{IdleAfter: idle}, nil)
		require.NoError(t, do(t, s, "a", add(3)))
		var p *actors.PanicError
		require.ErrorAs(t, do(t, s, "a", boom("turn")), &p)
		require.Equal(t, "turn", p.Value)
		require.Equal(t, 3, number(t, s, "a"), "the state is as it was before the turn")
		after(2 * idle)
		require.Equal(t, actors.Stats{Keys: 1, Restarts: 1}, s.Stats(), "never forgotten")
		require.NoError(t, do(t, s, "a", add(1)))
	})
}

func TestAPanicInRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{}, nil)
		require.NoError(t, do(t, s, "a", add(3)))
		owed := make(chan error, 1)
		require.NoError(t, do(t, s, "a", owe(owed)))
		require.NoError(t, s.Send(t.Context(), cellOf(t, s, "a"), message{
			turn:   boom("turn"),
			refuse: func(error) { panic("refuse") },
		}))
		require.Error(t, first(t, owed), "what is owed is answered all the same")
		require.Equal(t, 3, number(t, s, "a"))
		require.EqualValues(t, 1, s.Stats().Restarts)
	})
}

func TestGoexitInATurnEndsTheGoroutineAndNotTheActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{wake: func(int64, *state) actors.Next { runtime.Goexit(); panic("never") }},
			actors.Config{IdleAfter: idle}, nil)
		require.NoError(t, do(t, s, "a", add(3)))
		exit := post(t, s, "a", func(_ int64, s *state) actors.Next {
			s.n = 0
			runtime.Goexit()
			panic("never")
		})
		behind := post(t, s, "a", add(1))
		var p *actors.PanicError
		require.ErrorAs(t, first(t, exit), &p)
		require.Nil(t, p.Value)
		require.NoError(t, first(t, behind))
		require.Equal(t, 4, number(t, s, "a"))
		require.Equal(t, actors.Stats{Keys: 1, Actors: 1, Restarts: 1}, s.Stats())

		require.NoError(t, do(t, s, "a", func(now int64, _ *state) actors.Next {
			return actors.Next{Wake: now + 1, Forget: actors.Never}
		}))
		after(1)
		require.EqualValues(t, 2, s.Stats().Restarts, "Goexit in Wake")
		require.Equal(t, 4, number(t, s, "a"))
		after(idle + time.Second)
		require.Zero(t, s.Stats().Actors, "it leaves like any other")
	})
}

func TestTheRestartBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{RestartBudget: 3, RestartWindow: time.Minute}, nil)
		require.NoError(t, do(t, s, "a", add(3)))
		require.NoError(t, do(t, s, "b", add(1)))
		var p *actors.PanicError
		for range 3 {
			require.ErrorAs(t, do(t, s, "a", boom(1)), &p)
			after(10 * time.Second)
		}
		require.NoError(t, do(t, s, "a", add(1)), "within the budget")
		require.ErrorAs(t, do(t, s, "a", boom(1)), &p)
		for range 4 {
			require.ErrorIs(t, do(t, s, "a", add(1)), actors.ErrFailed)
			require.NoError(t, do(t, s, "b", add(1)), "another key is another actor")
			after(15*time.Second - 1)
		}
		require.ErrorIs(t, do(t, s, "a", add(1)), actors.ErrFailed)
		after(4)
		require.Equal(t, 4, number(t, s, "a"), "the window has passed: it works again, with its state")
		require.EqualValues(t, 4, s.Stats().Restarts)
		for range 3 {
			require.ErrorAs(t, do(t, s, "a", boom(1)), &p)
		}
		require.Equal(t, 4, number(t, s, "a"), "and with a new budget")
	})
}

func TestPanicsSpreadOutInTimeNeverExhaustTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{RestartBudget: 3, RestartWindow: time.Minute, IdleAfter: time.Hour}, nil)
		var p *actors.PanicError
		for range 100 {
			require.ErrorAs(t, do(t, s, "a", boom(errors.New("again"))), &p)
			after(20 * time.Second) // three in every window
		}
		require.NoError(t, do(t, s, "a", add(1)))
		require.Equal(t, 1, number(t, s, "a"))
		require.EqualValues(t, 100, s.Stats().Restarts)
	})
}
