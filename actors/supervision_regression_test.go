package actors_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
)

// bad is a Refuse that panics.
func bad(error) { panic("refuse") }

// TestAPanicInRefuseDoesNotKeepCloseFromEnding: the drain at the end of the system used to break off at the panic.
func TestAPanicInRefuseDoesNotKeepCloseFromEnding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{}, nil)
		owed := make(chan error, 2)
		require.NoError(t, do(t, s, "a", owe(owed)))
		g := newGate()
		post(t, s, "a", g.turn)
		<-g.started
		require.ErrorIs(t, s.Close(ended()), context.Canceled)
		synctest.Wait() // the order to stop is queued
		require.NoError(t, s.Send(t.Context(), cellOf(t, s, "a"), message{turn: add(1), refuse: bad}))
		behind := post(t, s, "a", add(1))
		close(g.release)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, s.Close(ctx))
		require.ErrorIs(t, first(t, behind), actors.ErrClosed)
		require.ErrorIs(t, first(t, owed), actors.ErrClosed)
	})
}

// TestAPanicInRefuseUndoesNothing: a panic outside of a turn of the state used to bring back the state before the last
// turn, and with it debts that had been paid.
func TestAPanicInRefuseUndoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{RestartBudget: 1, RestartWindow: time.Minute}, nil)
		owed := make(chan error, 8)
		require.Error(t, do(t, s, "a", boom(1)))
		require.NoError(t, do(t, s, "a", owe(owed)))
		require.Error(t, do(t, s, "a", boom(1)))
		require.Error(t, first(t, owed))
		for _, refuse := range []func(error){bad, func(error) { runtime.Goexit() }} {
			require.NoError(t, s.Send(t.Context(), cellOf(t, s, "a"), message{turn: add(1), refuse: refuse}))
			require.ErrorIs(t, do(t, s, "a", add(1)), actors.ErrFailed)
		}
		require.Empty(t, owed, "answered twice")
	})
}

// TestAWakeThatAlwaysPanicsIsHeldToTheBudget: it used to run at full speed for ever.
func TestAWakeThatAlwaysPanicsIsHeldToTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		due := func(now int64, _ *state, _ error) actors.Next { return actors.Next{Wake: now, Forget: actors.Never} }
		// Should it run at full speed again, this keeps the bubble from hanging.
		n := 0
		b := &script{wake: func(int64, *state) actors.Next {
			if n++; n > 1000 {
				return rest(0)
			}
			panic("wake")
		}, fail: due}
		s := open(t, b, actors.Config{RestartBudget: 3, RestartWindow: time.Minute}, nil)
		require.NoError(t, do(t, s, "a", func(now int64, st *state) actors.Next { return due(now, st, nil) }))
		after(10*time.Minute - 1)
		require.LessOrEqual(t, s.Stats().Restarts, uint64(40), "four in each window")
		require.NotZero(t, s.Stats().Restarts)
	})
}

// TestGoexitInFailOrRefuse: an actor used to stay behind without its goroutine.
func TestGoexitInFailOrRefuse(t *testing.T) {
	once := true
	for name, b := range map[string]*script{
		"Fail": {fail: func(now int64, _ *state, _ error) actors.Next {
			if once {
				once = false
				runtime.Goexit()
			}
			return rest(now)
		}},
		"Refuse": {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, b, actors.Config{}, nil)
				m := message{turn: boom(1), refuse: func(error) {}}
				if name == "Refuse" {
					m.refuse = func(error) { runtime.Goexit() }
				}
				require.NoError(t, s.Send(t.Context(), cellOf(t, s, "a"), m))
				require.NoError(t, first(t, post(t, s, "a", add(1))))
				require.Equal(t, 1, number(t, s, "a"))
			})
		})
	}
}

// TestAFailedActorDoesNotLeaveItsPenaltyBehind: passivation used to give a new budget before the window had passed.
func TestAFailedActorDoesNotLeaveItsPenaltyBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{IdleAfter: idle, RestartBudget: 1, RestartWindow: time.Minute}, nil)
		for range 2 {
			require.Error(t, do(t, s, "a", boom(1)))
		}
		after(2 * idle)
		require.ErrorIs(t, do(t, s, "a", add(1)), actors.ErrFailed)
		after(time.Minute)
		require.NoError(t, do(t, s, "a", add(1)))
		after(2 * idle)
		require.Zero(t, s.Stats().Actors)
	})
}
