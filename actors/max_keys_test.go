package actors_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/clock"
)

func TestTheLimitOfKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{MaxKeys: 2, IdleAfter: time.Hour}, nil)
		require.NoError(t, do(t, s, "kept", add(1)))
		cellOf(t, s, "at rest")
		_, err := s.Cell("second")
		require.NoError(t, err, "the one at rest equals a new one")
		synctest.Wait()
		require.Equal(t, actors.Stats{Keys: 2, Evicted: 1}, s.Stats())

		linger(t, s, "second")
		require.NoError(t, do(t, s, "second", toForget))
		require.Equal(t, 1, s.Stats().Actors)
		_, err = s.Cell("third")
		require.NoError(t, err, "the running one equals a new one, and leaves")
		require.Equal(t, actors.Stats{Keys: 2, Evicted: 2}, s.Stats())

		require.NoError(t, do(t, s, "third", add(1)))
		_, err = s.Cell("fourth")
		require.ErrorIs(t, err, actors.ErrKeyLimit)
		require.Equal(t, 1, number(t, s, "kept"))
		require.Equal(t, 1, number(t, s, "third"))

		require.NoError(t, do(t, s, "third", func(now int64, _ *state) actors.Next {
			return actors.Next{Wake: now + int64(time.Second), Forget: now}
		}))
		_, err = s.Cell("fourth")
		require.ErrorIs(t, err, actors.ErrKeyLimit, "it does not leave while it has a wake to come")
		after(time.Second)
		require.NoError(t, do(t, s, "third", func(now int64, _ *state) actors.Next {
			return actors.Next{Wake: actors.Never, Forget: now + 1}
		}))
		_, err = s.Cell("fourth")
		require.ErrorIs(t, err, actors.ErrKeyLimit, "not yet")
		after(1)
		_, err = s.Cell("fourth")
		require.NoError(t, err)
	})
}

// TestABusyActorIsNotForgotten has the newcomer wait for the turn, which finds that the key is needed after all.
func TestABusyActorIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{MaxKeys: 1}, nil)
		g := newGate()
		post(t, s, "a", g.turn)
		<-g.started
		newcomer := make(chan error, 1)
		go func() {
			_, err := s.Cell("b")
			newcomer <- err
		}()
		synctest.Wait()
		require.Empty(t, newcomer, "it has asked the actor to leave")
		behind := post(t, s, "a", add(1))
		close(g.release)
		require.ErrorIs(t, first(t, newcomer), actors.ErrKeyLimit)
		require.NoError(t, first(t, behind))
		require.Equal(t, 1, number(t, s, "a"))
	})
}

// TestANewcomerDoesNotWaitWhenTheSystemCloses asks two actors to leave, the second behind the order to stop.
func TestANewcomerDoesNotWaitWhenTheSystemCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{MaxKeys: 2}, nil)
		a, b := newGate(), newGate()
		post(t, s, "a", a.turn)
		post(t, s, "b", b.turn)
		synctest.Wait()
		newcomer := make(chan error, 1)
		go func() {
			_, err := s.Cell("c")
			newcomer <- err
		}()
		synctest.Wait() // it has asked b, where the hand begins, and waits
		require.ErrorIs(t, s.Close(ended()), ended().Err())
		synctest.Wait() // both have been told to stop
		close(b.release)
		synctest.Wait() // now it has asked a, and waits
		require.Empty(t, newcomer)
		close(a.release)
		require.ErrorIs(t, first(t, newcomer), actors.ErrClosed)
		require.NoError(t, s.Close(t.Context()))
	})
}

// TestTheSlabAgainstAModel creates, keeps and forgets keys at random. A kept key is never forgotten, whatever place in the
// slab it was moved to; there is room if and only if something can be forgotten.
func TestTheSlabAgainstAModel(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			const most = 12
			s := open(t, &script{}, actors.Config{MaxKeys: most, IdleAfter: 8 * time.Millisecond}, nil)
			kept := map[string]int{}
			for step := range 400 {
				key := fmt.Sprint("key", random.IntN(3*most))
				_, there := s.Find(key)
				_, err := s.Cell(key)
				switch {
				case there || len(kept) < most:
					require.NoError(t, err, "seed %d, step %d", seed, step)
				default:
					require.ErrorIs(t, err, actors.ErrKeyLimit)
					continue
				}
				switch random.IntN(4) {
				case 0: // left as it is, perhaps without an actor
				case 1:
					require.NoError(t, do(t, s, key, toForget))
					delete(kept, key)
				case 2:
					require.NoError(t, do(t, s, key, add(1)))
					kept[key]++
				case 3:
					after(time.Duration(random.IntN(5)) * time.Millisecond)
				}
				check(t, s, kept, most)
			}
			after(time.Second)
			require.Equal(t, len(kept), s.Stats().Keys, "all others have been forgotten")
			require.Zero(t, s.Stats().Actors)
			check(t, s, kept, most)
			require.Greater(t, s.Stats().Evicted, uint64(50))
		})
	}
}

// check compares s with the keys that it must have and their numbers.
func check(t *testing.T, s *system, kept map[string]int, most int) {
	t.Helper()
	synctest.Wait()
	keys := slices.Sorted(s.Keys())
	require.Len(t, keys, s.Stats().Keys)
	require.LessOrEqual(t, len(keys), most)
	for key, n := range kept {
		require.Contains(t, keys, key)
		if n%5 == 1 { // not always: a question starts an actor
			require.Equal(t, n, number(t, s, key))
		}
	}
}

// TestASweepInPieces has more cells than the supervisor looks at under one hold of the lock.
func TestASweepInPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{IdleAfter: idle}, nil)
		after(time.Second)
		const n = 2000
		for i := range n {
			key := fmt.Sprint(i)
			if i%3 == 0 {
				linger(t, s, key)
				require.NoError(t, do(t, s, key, add(i)))
			}
			cellOf(t, s, key)
		}
		after(idle - time.Nanosecond)
		require.Equal(t, actors.Stats{Keys: n/3 + 1, Actors: n/3 + 1, Evicted: n - n/3 - 1}, s.Stats())
		after(time.Second)
		require.Equal(t, actors.Stats{Keys: n/3 + 1, Evicted: n - n/3 - 1}, s.Stats())
		for i := 0; i < n; i += 3 {
			require.Equal(t, i, number(t, s, fmt.Sprint(i)))
		}
	})
}

// late is a clock of which one reading is handed out late.
type late struct {
	clock.Clock
	hold    atomic.Bool
	release chan struct{}
}

func (l *late) Now() time.Time {
	now := l.Clock.Now()
	if l.hold.CompareAndSwap(true, false) {
		<-l.release
	}
	return now
}

// TestAKeyIsNotBornBeforeItWasForgotten: a caller read the clock, and was stopped before it could make the cell; meanwhile another made
// the cell, used it, and it was forgotten. To be born at the early reading would count the time since twice.
func TestAKeyIsNotBornBeforeItWasForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &late{Clock: clock.System(), release: make(chan struct{})}
		var births tape[int64]
		b := &script{born: func(now int64) actors.Next {
			births.add(now)
			return fresh(now)
		}}
		s := open(t, b, actors.Config{IdleAfter: idle, Clock: c}, nil)
		c.hold.Store(true)
		made := make(chan error, 1)
		go func() {
			_, err := s.Cell("a")
			made <- err
		}()
		synctest.Wait()
		require.NoError(t, do(t, s, "a", toForget))
		after(3 * idle)
		require.EqualValues(t, 1, s.Stats().Evicted)
		close(c.release)
		require.NoError(t, first(t, made))
		require.Len(t, births.get(), 2)
		require.GreaterOrEqual(t, births.get()[1], born+int64(idle), "it was used until it was forgotten")
	})
}
