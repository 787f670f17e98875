package actors_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/clock"
)

// The tests of this file are named for hazards that other runtimes of actors fell into. A1 and A2 are in retire_race_test.go and
// retire_stress_test.go, A7 and A8 in supervision_test.go, A11 in close_test.go, A12 in kit_test.go, A17 in actors_test.go.

// memory is what the heap and the stacks hold after a collection.
func memory() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// TestA5MemoryComesBackAfterAPeak: a map that never shrank would keep about 50 bytes for every key there ever was.
func TestA5MemoryComesBackAfterAPeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{IdleAfter: idle}, nil)
		before := memory()
		for i := range peak {
			if _, err := s.Cell(fmt.Sprint("key ", i)); err != nil { // require would cost more than what is tested
				require.NoError(t, err)
			}
		}
		full := memory() - before
		after(idle)
		require.Equal(t, actors.Stats{Evicted: peak}, s.Stats())
		left := memory() - before
		t.Logf("%d keys: %.1f MB, %d bytes per key; after all were evicted: %.1f MB", peak, mega(full), full/peak, mega(left))
		require.Less(t, left, int64(4<<20))
		runtime.KeepAlive(s)
	})
}

func mega(n int64) float64 { return float64(n) / (1 << 20) }

// TestA10TheSupervisorNeverWaitsForAnActor has an actor with a full mailbox, and another that is to leave.
func TestA10TheSupervisorNeverWaitsForAnActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{IdleAfter: idle, Mailbox: 1}, nil)
		g := newGate()
		post(t, s, "full", g.turn)
		<-g.started
		post(t, s, "full", add(1))
		require.NoError(t, do(t, s, "other", add(1)))
		after(2 * idle)
		require.Equal(t, 1, s.Stats().Actors, "the other has left, the full one is at it")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, s.Send(ctx, cellOf(t, s, "full"), message{}), context.DeadlineExceeded, "a sender waits as long as it wants")
		close(g.release)
		require.Equal(t, 1, number(t, s, "full"))
	})
}

// TestA13WhatARunningActorCosts measures; the bound is loose, because stacks are handed out in powers of two.
func TestA13WhatARunningActorCosts(t *testing.T) {
	const n = 10_000
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{IdleAfter: idle}, nil)
		cells := make([]*actors.Cell[face, state, message], n)
		for i := range cells {
			cells[i], _ = s.Cell(fmt.Sprint("key ", i))
		}
		before := memory()
		m := message{turn: func(now int64, _ *state) actors.Next {
			return actors.Next{Wake: now + int64(idle), Forget: actors.Never}
		}}
		for _, c := range cells {
			if err := s.Send(t.Context(), c, m); err != nil {
				require.NoError(t, err)
			}
		}
		synctest.Wait()
		cost := (memory() - before) / n
		require.Equal(t, n, s.Stats().Actors)
		after(idle)
		require.Zero(t, s.Stats().Actors)
		left := (memory() - before) / n
		t.Logf("a running actor: %d bytes; after it has left: %d bytes", cost, left)
		require.Less(t, cost, int64(8000), "3.4 KB were measured, 5.4 under the race detector")
		require.Less(t, left, cost/2)
		runtime.KeepAlive(cells)
	})
}

// counted is a clock that counts its timers, and how often they are stopped.
type counted struct {
	clock.Clock
	timers, stops *atomic.Int64
}

type countedTimer struct {
	clock.Timer
	stops *atomic.Int64
}

func (c counted) NewTimer(d time.Duration) clock.Timer {
	c.timers.Add(1)
	return countedTimer{c.Clock.NewTimer(d), c.stops}
}

func (t countedTimer) Stop() bool {
	t.stops.Add(1)
	return t.Timer.Stop()
}

// TestA14AnIdleActorHasNoTimer: one timer is the supervisor's, and an actor makes one when it has something to wait for.
func TestA14AnIdleActorHasNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var timers, stops atomic.Int64
		s := open(t, &script{}, actors.Config{IdleAfter: idle, Clock: counted{clock.System(), &timers, &stops}}, nil)
		for i := range 200 {
			require.NoError(t, do(t, s, fmt.Sprint(i), add(1)))
		}
		after(100 * idle)
		require.EqualValues(t, 1, timers.Load())

		linger(t, s, "0")
		for range 10 {
			require.NoError(t, do(t, s, "0", func(now int64, _ *state) actors.Next {
				return actors.Next{Wake: now + int64(time.Second), Forget: actors.Never}
			}))
			after(time.Second)
			require.NoError(t, do(t, s, "0", add(1)))
		}
		require.EqualValues(t, 2, timers.Load(), "the one timer of the one actor")
		require.Zero(t, stops.Load())

		require.NoError(t, do(t, s, "0", func(now int64, _ *state) actors.Next {
			return actors.Next{Wake: now + int64(time.Second), Forget: actors.Never}
		}))
		require.NoError(t, do(t, s, "0", add(1)))
		synctest.Wait()
		require.EqualValues(t, 1, stops.Load(), "nothing to wait for any more")
	})
}

// TestA16CloseAndWakeAreSeenUnderFullLoad: a mailbox that is never empty starves neither the timer nor Close.
func TestA16CloseAndWakeAreSeenUnderFullLoad(t *testing.T) {
	t.Parallel()
	woken := make(chan struct{})
	var once sync.Once
	b := &script{wake: func(now int64, _ *state) actors.Next {
		once.Do(func() { close(woken) })
		return rest(now)
	}}
	s, err := actors.New(b, actors.Config{Mailbox: 4})
	require.NoError(t, err)
	c, err := s.Cell("a")
	require.NoError(t, err)
	wake := time.Millisecond.Nanoseconds()
	m := message{
		turn:   func(int64, *state) actors.Next { return actors.Next{Wake: wake, Forget: actors.Never} },
		refuse: func(error) {},
	}
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for s.Send(context.Background(), c, m) == nil {
			}
		})
	}
	<-woken
	require.NoError(t, s.Close(t.Context()))
	senders.Wait()
}
