package actors_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
)

func TestCloseRefusesWhatIsQueuedAndFailsWhatIsOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{Mailbox: 4}, nil)
		owed := make(chan error, 4)
		require.NoError(t, do(t, s, "a", owe(owed)))
		require.NoError(t, do(t, s, "a", owe(owed)))
		g := newGate()
		post(t, s, "a", g.turn)
		<-g.started
		var queued []<-chan error
		for range 4 {
			queued = append(queued, post(t, s, "a", add(1)))
		}
		waiting := make(chan error, 4)
		go func() { // for room, and keeps its place in the order
			waiting <- s.Send(context.Background(), cellOf(t, s, "a"), message{turn: add(1), refuse: func(err error) { waiting <- err }})
		}()
		synctest.Wait()
		require.ErrorIs(t, s.Close(ended()), context.Canceled)
		synctest.Wait()
		require.Empty(t, owed)
		close(g.release)
		require.NoError(t, s.Close(t.Context()))
		for _, q := range queued { // before the order to stop: they have their turn
			require.NoError(t, first(t, q))
			require.Empty(t, q)
		}
		require.Len(t, owed, 2)
		for range 2 {
			require.ErrorIs(t, <-owed, actors.ErrClosed)
		}
		for range len(waiting) { // processed, or refused by either side
			if err := <-waiting; err != nil {
				require.ErrorIs(t, err, actors.ErrClosed)
			}
		}
		require.Zero(t, s.Stats().Actors)
	})
}

// TestCloseRefusesWhatComesAfterItsOrder puts messages into the mailbox behind the order to stop.
func TestCloseRefusesWhatComesAfterItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{Mailbox: 8}, nil)
		g := newGate()
		post(t, s, "a", g.turn)
		<-g.started
		before := post(t, s, "a", add(1))
		require.ErrorIs(t, s.Close(ended()), context.Canceled)
		synctest.Wait() // the order is queued
		behind := []<-chan error{post(t, s, "a", add(1)), post(t, s, "a", boom("never"))}
		close(g.release)
		require.NoError(t, s.Close(t.Context()))
		require.NoError(t, first(t, before))
		for _, b := range behind {
			require.ErrorIs(t, first(t, b), actors.ErrClosed)
			require.Empty(t, b, "once")
		}
		require.ErrorIs(t, s.Send(t.Context(), cellOf(t, s, "a"), message{}), actors.ErrClosed)
		_, err := s.Cell("new")
		require.ErrorIs(t, err, actors.ErrClosed)
	})
}

func TestCloseBeforeAnyUseAndTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{}, nil)
		require.NoError(t, s.Close(t.Context()))
		require.NoError(t, s.Close(t.Context()))
		require.NoError(t, s.Close(ended()), "it is closed, whatever the context")
	})
}

// TestCloseWhileTheSweeperSweeps holds the supervisor in the middle of a sweep.
func TestCloseWhileTheSweeperSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sweeping, release := make(chan struct{}, 1), make(chan struct{})
		s := open(t, &script{}, actors.Config{IdleAfter: idle}, func(p actors.Point) {
			if p == actors.BeforeRetire {
				sweeping <- struct{}{}
				<-release
			}
		})
		require.NoError(t, do(t, s, "a", add(1)))
		cellOf(t, s, "b")
		<-sweeping
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, s.Close(ctx), context.DeadlineExceeded, "it waits for the sweep")
		close(release)
		require.NoError(t, s.Close(t.Context()))
		require.Equal(t, actors.Stats{Keys: 1, Evicted: 1}, s.Stats(), "b was forgotten by the last sweep")
	})
}

// TestCloseWhileAWakeIsToCome closes while an actor waits for its wake.
func TestCloseWhileAWakeIsToCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{}, nil)
		owed := make(chan error, 1)
		require.NoError(t, do(t, s, "a", func(now int64, st *state) actors.Next {
			owe(owed)(now, st)
			return actors.Next{Wake: now + int64(time.Hour), Forget: actors.Never}
		}))
		require.NoError(t, s.Close(t.Context()))
		require.ErrorIs(t, <-owed, actors.ErrClosed)
	})
}

// TestCloseAtFullSpeed is A11 and A16: senders, births and evictions at full speed, and several calls of Close. Each
// message is accepted and then processed or refused once, or not accepted and then neither.
func TestCloseAtFullSpeed(t *testing.T) {
	t.Parallel()
	for round := range 100 {
		s, err := actors.New(&script{}, actors.Config{MaxKeys: 4, IdleAfter: 1, Mailbox: 2})
		require.NoError(t, err)
		traffic := &closingTraffic{t: t, s: s, running: make(chan struct{}, 4)}
		var senders, closers sync.WaitGroup
		for i := range 4 {
			senders.Go(func() { traffic.send(i, i+10+round) })
		}
		<-traffic.running
		for i := range 3 {
			closers.Go(func() {
				if i == 0 {
					_ = s.Close(ended()) // by chance closed already
				} else if err := s.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		closers.Wait()
		senders.Wait()
		require.Equal(t, traffic.sent.Load(), traffic.processed.Load()+traffic.refused.Load(), "round %d", round)
		require.Zero(t, s.Stats().Actors)
	}
}

// closingTraffic is messages to a system until the system is closed.
type closingTraffic struct {
	t                        *testing.T
	s                        *actors.System[face, state, message]
	running                  chan struct{}
	sent, processed, refused atomic.Int64
}

// turn processes a message; every other turn owes an answer.
func (c *closingTraffic) turn(now int64, s *state) actors.Next {
	c.processed.Add(1)
	s.n++
	if s.n%2 == 1 {
		s.owed = []func(error){func(error) {}}
		return rest(now)
	}
	s.owed = nil
	return fresh(now)
}

func (c *closingTraffic) refuse(err error) {
	c.refused.Add(1)
	if !errors.Is(err, actors.ErrClosed) {
		c.t.Errorf("refused with %v", err)
	}
}

// send sends messages from number n on, and says so at number at.
func (c *closingTraffic) send(n, at int) {
	for ; ; n++ {
		cell, err := c.s.Cell(fmt.Sprint("key", n%8))
		if err == nil {
			err = c.s.Send(context.Background(), cell, message{turn: c.turn, refuse: c.refuse})
		}
		switch {
		case err == nil:
			c.sent.Add(1)
		case errors.Is(err, actors.ErrClosed):
			return
		case !errors.Is(err, actors.ErrRetired) && !errors.Is(err, actors.ErrKeyLimit):
			c.t.Errorf("sent with %v", err)
		}
		if n == at {
			c.running <- struct{}{}
		}
	}
}
