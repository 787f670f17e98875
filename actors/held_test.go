package actors_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
)

// hold is a turn after which the actor has a wake to come, in an hour.
func hold(now int64, _ *state) actors.Next {
	return actors.Next{Wake: now + int64(time.Hour), Forget: actors.Never, Used: now}
}

// TestAKeyIsRefusedOnlyIfEveryKeyIsHeld: a search used to give up when it had passed over 256 held ones.
func TestAKeyIsRefusedOnlyIfEveryKeyIsHeld(t *testing.T) {
	for _, most := range []int{1, 2, 10, 300, 3000} {
		for free := range 3 {
			synctest.Test(t, func(t *testing.T) {
				var gone tape[string]
				s := open(t, spilling(&gone), actors.Config{MaxKeys: most, IdleAfter: idle}, nil)
				holders := max(0, most-free)
				for i := range holders {
					require.NoError(t, do(t, s, fmt.Sprint("held ", i), hold))
				}
				for i := holders; i < most; i++ {
					require.NoError(t, do(t, s, fmt.Sprint("free ", i), add(1)))
				}
				synctest.Wait()
				for i := range 100 {
					_, err := s.Cell(fmt.Sprint("new ", i))
					if holders == most {
						require.ErrorIs(t, err, actors.ErrKeyLimit)
						continue
					}
					require.NoError(t, err, "%d of %d are held", holders, most)
					require.NoError(t, do(t, s, fmt.Sprint("new ", i), add(1+i)))
				}
				synctest.Wait()
				for i := range holders {
					_, there := s.Find(fmt.Sprint("held ", i))
					require.True(t, there)
				}
				_, run, aside := s.Slabs()
				if holders == most {
					require.Equal(t, most, aside, "no search comes by them again")
					require.Zero(t, run)
				}
				for i := range holders {
					require.NoError(t, do(t, s, fmt.Sprint("held ", i), add(1)))
				}
				synctest.Wait()
				atRest, run, aside := s.Slabs()
				require.Equal(t, [3]int{most, 0, 0}, [3]int{atRest, run, aside}, "all can go")
			})
		}
	}
}

// TestOneThatStopsHoldingIsFoundAgain, at once, by its message or by its wake, whether it leaves or lingers.
func TestOneThatStopsHoldingIsFoundAgain(t *testing.T) {
	for _, lingers := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var gone tape[string]
			s := open(t, spilling(&gone), actors.Config{MaxKeys: 2, IdleAfter: 2 * time.Hour}, nil)
			for _, key := range []string{"a", "b"} {
				if lingers {
					linger(t, s, key)
				}
				require.NoError(t, do(t, s, key, hold))
			}
			synctest.Wait()
			_, err := s.Cell("c")
			require.ErrorIs(t, err, actors.ErrKeyLimit)
			require.NoError(t, do(t, s, "b", add(1)))
			require.NoError(t, do(t, s, "c", hold))
			require.Equal(t, []string{"b 1"}, gone.get())

			_, err = s.Cell("d")
			require.ErrorIs(t, err, actors.ErrKeyLimit)
			after(time.Hour) // a and c have woken
			require.NoError(t, do(t, s, "d", hold))
			require.NoError(t, do(t, s, "e", hold))
			require.Len(t, gone.get(), 3)
		})
	}
}

// TestAMessageThatIsQueuedMayEndAHold: the search waits for it.
func TestAMessageThatIsQueuedMayEndAHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone tape[string]
		s := open(t, spilling(&gone), actors.Config{MaxKeys: 1}, nil)
		require.NoError(t, do(t, s, "a", hold))
		g := newGate()
		post(t, s, "a", func(now int64, st *state) actors.Next {
			g.turn(now, st)
			return hold(now, st)
		})
		<-g.started
		post(t, s, "a", add(1))
		born := make(chan error, 1)
		go func() {
			_, err := s.Cell("b")
			born <- err
		}()
		synctest.Wait()
		require.Empty(t, born)
		close(g.release)
		require.NoError(t, first(t, born))
		require.Equal(t, []string{"a 1"}, gone.get())
	})
}

// TestOrdersAreNoHold: neither a full mailbox nor the order of another newcomer holds a key. Newcomers used to be refused for both.
func TestOrdersAreNoHold(t *testing.T) {
	for _, newcomers := range []int{1, 2, 5} {
		synctest.Test(t, func(t *testing.T) {
			gone := new(tape[string])
			s := open(t, spilling(gone), actors.Config{MaxKeys: 1, Mailbox: 1}, nil)
			g := newGate()
			post(t, s, "a", g.turn)
			<-g.started
			post(t, s, "a", add(1))
			born := make(chan error, newcomers)
			for i := range newcomers {
				go func() {
					_, err := s.Cell(fmt.Sprint("new ", i))
					born <- err
				}()
			}
			synctest.Wait()
			require.Empty(t, born)
			close(g.release)
			for range newcomers {
				require.NoError(t, first(t, born))
			}
			require.Equal(t, "a 1", gone.get()[0])
		})
	}
}

// TestKeysThatAreNeverToBeSpilledArePutAside too, until their next turn.
func TestKeysThatAreNeverToBeSpilledArePutAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pinned = 1000
		var gone tape[string]
		s := open(t, spilling(&gone), actors.Config{MaxKeys: pinned + 1}, nil)
		for i := range pinned {
			require.NoError(t, do(t, s, fmt.Sprint(i), add(-1)))
		}
		for i := range 50 {
			synctest.Wait() // every actor has left
			require.NoError(t, do(t, s, fmt.Sprint("new ", i), add(1)))
		}
		synctest.Wait()
		atRest, _, aside := s.Slabs()
		require.Equal(t, pinned, aside)
		require.Equal(t, 1, atRest)
		require.NoError(t, do(t, s, "7", add(1)))
		synctest.Wait()
		require.NoError(t, do(t, s, "one more", add(1)))
		require.NoError(t, do(t, s, "and another", add(1)))
		require.Contains(t, gone.get(), "7 0")
	})
}

// TestASweepLeavesHeldKeysAside: it used to tell their actors to leave, which they could not, again and again.
func TestASweepLeavesHeldKeysAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone tape[string]
		s := open(t, spilling(&gone), actors.Config{MaxKeys: 100, IdleAfter: idle}, nil)
		for i := range 100 {
			require.NoError(t, do(t, s, fmt.Sprint(i), hold))
		}
		synctest.Wait()
		for range 3 {
			_, err := s.Cell("new")
			require.ErrorIs(t, err, actors.ErrKeyLimit)
			_, _, aside := s.Slabs()
			require.Equal(t, 100, aside)
			after(10 * idle)
			_, _, aside = s.Slabs()
			require.Equal(t, 100, aside)
		}
	})
}

// TestHoldsComeAndGoAtTheLimit with all that may happen at the same time. In the end every cell can be found again.
func TestHoldsComeAndGoAtTheLimit(t *testing.T) {
	const most, keys, workers = 24, 60, 6
	b := spilling(new(tape[string]))
	b.spill = func(string, *face, *state) {}
	s := open(t, b, actors.Config{MaxKeys: most, IdleAfter: time.Millisecond}, nil)
	var holds holdCounts
	var wg sync.WaitGroup
	for w := range workers {
		random := rand.New(rand.NewPCG(uint64(w), 1))
		wg.Go(func() {
			for range 4000 {
				holds.hold(t, s, fmt.Sprint(random.IntN(keys)), []int64{0, 0, int64(time.Microsecond), int64(50 * time.Microsecond), int64(time.Hour)}[random.IntN(5)])
			}
		})
	}
	wg.Wait()
	for i := range keys { // whatever was held before, one of them finds no room
		holds.hold(t, s, fmt.Sprint(i), int64(time.Hour))
	}
	for i := range keys { // end every hold
		if c, there := s.Find(fmt.Sprint(i)); there {
			_ = turned(t, s, c) // or it has been spilled
		}
	}
	t.Logf("%d accepted, %d refused for want of room", holds.accepted.Load(), holds.full.Load())
	require.NotZero(t, holds.full.Load())
	for i := range 2 * most { // every one of those that hold nothing goes, one after the other
		for err := actors.ErrRetired; err != nil; {
			var c *actors.Cell[face, state, message]
			c, err = s.Cell(fmt.Sprint("new ", i))
			require.NoError(t, err)
			if err = turned(t, s, c); err != nil {
				require.ErrorIs(t, err, actors.ErrRetired, "by the supervisor")
			}
		}
	}
	require.Equal(t, holds.accepted.Load(), holds.processed.Load())
	require.NoError(t, s.Close(t.Context()))
	atRest, run, aside := s.Slabs()
	require.Equal(t, s.Stats().Keys, atRest)
	require.Zero(t, run+aside)
}

// holdCounts counts messages that hold their keys for a while.
type holdCounts struct{ accepted, processed, full atomic.Int64 }

// hold sends a message that holds key for d.
func (h *holdCounts) hold(t *testing.T, s *actors.System[face, state, message], key string, d int64) {
	m := message{turn: func(now int64, _ *state) actors.Next {
		h.processed.Add(1)
		next := rest(now)
		if d > 0 {
			next.Wake = now + d
		}
		return next
	}, refuse: func(error) { h.processed.Add(-1 << 40) }}
	c, err := s.Cell(key)
	if err == nil {
		err = s.Send(t.Context(), c, m)
	}
	switch err {
	case nil:
		h.accepted.Add(1)
	case actors.ErrRetired:
	case actors.ErrKeyLimit:
		h.full.Add(1)
	default:
		t.Error(err)
	}
}

// turned returns when all that was sent to c before has had its turn.
func turned(t *testing.T, s *actors.System[face, state, message], c *actors.Cell[face, state, message]) error {
	done := make(chan struct{})
	err := s.Send(t.Context(), c, message{turn: func(now int64, _ *state) actors.Next {
		defer close(done)
		return rest(now)
	}})
	if err == nil {
		<-done
	}
	return err
}
