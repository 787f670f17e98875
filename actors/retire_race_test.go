package actors_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
)

// The tests of this file force the dangerous interleavings, one by one.

// trap parks the first goroutine that comes to a point after the trap was set.
type trap struct {
	at      actors.Point
	set     atomic.Bool
	release chan struct{}
}

func newTrap(at actors.Point) *trap { return &trap{at: at, release: make(chan struct{})} }

func (r *trap) hook(p actors.Point) {
	if p == r.at && r.set.CompareAndSwap(true, false) {
		<-r.release
	}
}

// send sends the turn that adds one to cell, on a goroutine of its own.
func send(ctx context.Context, s *system, cell *actors.Cell[face, state, message], processed *atomic.Int64) <-chan error {
	done := make(chan error, 1)
	go func() {
		done <- s.Send(ctx, cell, message{
			turn: func(now int64, st *state) actors.Next {
				processed.Add(1)
				return add(1)(now, st)
			},
			refuse: func(error) { processed.Add(-1000) },
		})
	}()
	return done
}

// toForget is a turn after which the state equals a new one.
func toForget(now int64, s *state) actors.Next {
	s.n = 0
	return fresh(now)
}

// TestTheActorRetiresBetweenLookupAndSend: the sender has the actor; it leaves, the cell retires, a successor is born.
func TestTheActorRetiresBetweenLookupAndSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTrap(actors.AfterLookup)
		s := open(t, &script{}, actors.Config{IdleAfter: idle}, r.hook)
		linger(t, s, "a")
		require.NoError(t, do(t, s, "a", toForget))
		old := cellOf(t, s, "a")

		var processed atomic.Int64
		r.set.Store(true)
		sent := send(t.Context(), s, old, &processed)
		after(2 * idle)
		require.Equal(t, actors.Stats{Evicted: 1}, s.Stats(), "the sender still holds it")
		require.NoError(t, do(t, s, "a", add(10)))
		close(r.release)
		require.ErrorIs(t, first(t, sent), actors.ErrRetired)
		require.Zero(t, processed.Load())

		require.NoError(t, first(t, send(t.Context(), s, cellOf(t, s, "a"), &processed)))
		require.Equal(t, 11, number(t, s, "a"), "by the successor")
		require.EqualValues(t, 1, processed.Load())
		synctest.Wait()
		require.Equal(t, actors.Stats{Keys: 1, Evicted: 1}, s.Stats())
	})
}

// TestTheCellRetiresBeforeTheStart: the sender found no actor; before it starts one the sweeper retires the cell.
func TestTheCellRetiresBeforeTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTrap(actors.BeforeStart)
		s := open(t, &script{}, actors.Config{IdleAfter: idle}, r.hook)
		var processed atomic.Int64
		r.set.Store(true)
		sent := send(t.Context(), s, cellOf(t, s, "a"), &processed)
		after(idle)
		require.Equal(t, actors.Stats{Evicted: 1}, s.Stats())
		close(r.release)
		require.ErrorIs(t, first(t, sent), actors.ErrRetired)
		require.Zero(t, s.Stats().Actors, "no actor on a retired cell")
		require.Zero(t, processed.Load())
	})
}

// TestTheActorLeavesBetweenLookupAndSend: the mailbox is closed, the cell is not retired.
func TestTheActorLeavesBetweenLookupAndSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTrap(actors.AfterLookup)
		s := open(t, &script{}, actors.Config{IdleAfter: idle}, r.hook)
		linger(t, s, "a")
		require.NoError(t, do(t, s, "a", add(10)))
		var processed atomic.Int64
		r.set.Store(true)
		sent := send(t.Context(), s, cellOf(t, s, "a"), &processed)
		after(2 * idle)
		require.Equal(t, actors.Stats{Keys: 1}, s.Stats())
		close(r.release)
		require.NoError(t, first(t, sent))
		require.Equal(t, 11, number(t, s, "a"), "by a new actor on the same state")
		require.EqualValues(t, 1, processed.Load())
	})
}

// TestAPutBetweenTheOrderAndTheLeave: the actor has been told to leave; before it does a message comes.
func TestAPutBetweenTheOrderAndTheLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTrap(actors.BeforeLeave)
		s := open(t, &script{}, actors.Config{IdleAfter: idle}, r.hook)
		linger(t, s, "a")
		require.NoError(t, do(t, s, "a", toForget))
		r.set.Store(true)
		after(idle) // it is about to leave
		var processed atomic.Int64
		require.NoError(t, first(t, send(t.Context(), s, cellOf(t, s, "a"), &processed)))
		close(r.release)
		synctest.Wait()
		require.EqualValues(t, 1, processed.Load())
		require.Equal(t, actors.Stats{Keys: 1, Actors: 1}, s.Stats(), "it stays")
		after(2 * idle)
		require.Equal(t, actors.Stats{Keys: 1}, s.Stats(), "until the next time")
	})
}

// slow is a context whose Done lasts until it is released. Put asks for it after it has counted the message and found the
// mailbox full, and before it waits for room.
type slow struct {
	context.Context
	entered, release chan struct{}
}

func (c slow) Done() <-chan struct{} {
	close(c.entered)
	<-c.release
	return c.Context.Done()
}

// TestAPutIsCountedButNotInTheChannelWhenTheActorLeaves: the mailbox is empty, and yet it must not close.
func TestAPutIsCountedButNotInTheChannelWhenTheActorLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{IdleAfter: idle, Mailbox: 1}, nil)
		linger(t, s, "a")
		g := newGate()
		post(t, s, "a", func(now int64, st *state) actors.Next { return unused(g.turn(now, st)) })
		<-g.started
		after(idle) // the sweeper's order to leave fills the mailbox
		ctx := slow{t.Context(), make(chan struct{}), make(chan struct{})}
		var processed atomic.Int64
		sent := send(ctx, s, cellOf(t, s, "a"), &processed)
		<-ctx.entered // counted
		close(g.release)
		synctest.Wait() // the actor has taken the order; nothing is in the channel
		require.Equal(t, 1, s.Stats().Actors, "it stays")
		close(ctx.release)
		require.NoError(t, first(t, sent))
		synctest.Wait()
		require.EqualValues(t, 1, processed.Load())
		require.Equal(t, 1, number(t, s, "a"))
	})
}

// TestTwoSendersStartOneActor: both found none.
func TestTwoSendersStartOneActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var starting, turns, overlaps atomic.Int64
		s := open(t, &script{}, actors.Config{}, func(p actors.Point) {
			if p == actors.BeforeStart {
				starting.Add(1)
				<-release
			}
		})
		c := cellOf(t, s, "a")
		long := func() <-chan error {
			done := make(chan error, 1)
			go func() {
				done <- s.Send(t.Context(), c, message{turn: func(now int64, st *state) actors.Next {
					if turns.Add(1) > 1 {
						overlaps.Add(1)
					}
					time.Sleep(time.Second)
					turns.Add(-1)
					return add(1)(now, st)
				}})
			}()
			return done
		}
		one, two := long(), long()
		synctest.Wait()
		require.EqualValues(t, 2, starting.Load())
		close(release)
		require.NoError(t, first(t, one))
		require.NoError(t, first(t, two))
		require.Equal(t, 2, number(t, s, "a"))
		require.Zero(t, overlaps.Load(), "one actor")
	})
}

// TestAUseBetweenTheSweepAndTheOrder: the sweeper found the actor idle, and its order comes after a message.
func TestAUseBetweenTheSweepAndTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{IdleAfter: idle}, nil)
		linger(t, s, "a")
		require.NoError(t, do(t, s, "a", add(1)))
		after(idle - 1)
		g := newGate()
		post(t, s, "a", g.turn) // a use, now; it lasts while the sweeper looks
		<-g.started
		after(time.Second)
		close(g.release)
		synctest.Wait()
		require.Equal(t, 1, s.Stats().Actors, "used since")
	})
}

// TestStartAndCloseAreOrdered: a sender is about to start an actor when the system closes.
func TestStartAndCloseAreOrdered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTrap(actors.BeforeStart)
		s := open(t, &script{}, actors.Config{}, r.hook)
		var processed atomic.Int64
		r.set.Store(true)
		sent := send(t.Context(), s, cellOf(t, s, "a"), &processed)
		synctest.Wait()
		require.NoError(t, s.Close(t.Context()))
		close(r.release)
		require.ErrorIs(t, first(t, sent), actors.ErrClosed)
		require.Zero(t, processed.Load())
	})
}
