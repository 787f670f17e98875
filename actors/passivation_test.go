package actors_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
)

// TestACellIsSmall: a million keys have a million of them.
func TestACellIsSmall(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(actors.Cell[[3]int64, [100]int64, message]{}), uintptr(64))
}

// TestAnActorWithNothingToComeLeavesAtOnce, its state kept or, if it is clean, dropped; but not before its mailbox is empty.
func TestAnActorWithNothingToComeLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{}, nil)
		require.NoError(t, do(t, s, "a", clean))
		synctest.Wait()
		require.Equal(t, actors.Stats{Keys: 1}, s.Stats(), "the key stays")

		g := newGate()
		post(t, s, "a", g.turn)
		<-g.started
		cleaned, behind := post(t, s, "a", clean), post(t, s, "a", add(1))
		close(g.release)
		require.NoError(t, first(t, cleaned))
		require.NoError(t, first(t, behind))
		synctest.Wait()
		require.Equal(t, actors.Stats{Keys: 1}, s.Stats())
		require.Equal(t, 1, number(t, s, "a"), "the message behind was processed, and what it did was kept")
		after(time.Minute) // a sweep: so many starts are not often
		require.NoError(t, do(t, s, "a", clean))
		synctest.Wait()
		require.Zero(t, s.Stats().Actors)
		require.Zero(t, number(t, s, "a"), "nothing of the state was kept")
	})
}

// TestAPutBetweenTheCleanTurnAndTheLeave: the mailbox was empty, and is not when it is to be closed.
func TestAPutBetweenTheCleanTurnAndTheLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTrap(actors.BeforeLeave)
		s := open(t, &script{}, actors.Config{}, r.hook)
		r.set.Store(true)
		require.NoError(t, do(t, s, "a", clean))
		synctest.Wait() // it is about to leave
		sent := post(t, s, "a", add(1))
		close(r.release)
		require.NoError(t, first(t, sent), "it stayed")
		synctest.Wait()
		require.Equal(t, actors.Stats{Keys: 1}, s.Stats())
		require.Equal(t, 1, number(t, s, "a"))
	})
}

// TestAnActorThatKeepsBeingNeededLingers until a sweep finds it unused; then it is as eager as before.
func TestAnActorThatKeepsBeingNeededLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{IdleAfter: idle, Linger: idle / 8}, nil)
		for range 2 {
			for i := range actors.Eager + 1 {
				require.NoError(t, do(t, s, "a", clean))
				synctest.Wait()
				require.Equal(t, i == actors.Eager, s.Stats().Actors == 1, "start %d", i)
			}
			after(idle / 4)
			require.Zero(t, s.Stats().Actors)
		}
	})
}

// TestTheStateOutlivesALingeringActor, which leaves long before its key is forgotten.
func TestTheStateOutlivesALingeringActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{IdleAfter: idle, Linger: idle / 8}, nil)
		linger(t, s, "a")
		require.NoError(t, do(t, s, "a", add(5)))
		after(idle / 16)
		require.Equal(t, 1, s.Stats().Actors)
		after(idle / 4)
		require.Equal(t, actors.Stats{Keys: 1}, s.Stats())
		require.Equal(t, 5, number(t, s, "a"))
		require.NoError(t, do(t, s, "a", toForget))
		after(2 * idle)
		require.Equal(t, actors.Stats{Evicted: 1}, s.Stats())
	})
}

// TestAnActorThatPanickedDoesNotLeaveAtOnce: its successor would begin with a budget of its own.
func TestAnActorThatPanickedDoesNotLeaveAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{RestartBudget: 1, RestartWindow: time.Minute}, nil)
		for range 2 {
			require.Error(t, do(t, s, "a", boom(1)))
			synctest.Wait()
		}
		require.ErrorIs(t, do(t, s, "a", clean), actors.ErrFailed)
		after(time.Minute)
		require.NoError(t, do(t, s, "a", clean))
		synctest.Wait()
		require.Equal(t, 1, s.Stats().Actors)
	})
}

// TestTheSlabGivesMemoryBack compares it with a slice, and holds it to one spare segment.
func TestTheSlabGivesMemoryBack(t *testing.T) {
	const most = 5 * actors.Segment
	random := rand.New(rand.NewPCG(1, 2))
	var r actors.Slab[int]
	var model []int
	for phase := range 10 {
		for range most {
			if grow := phase%2 == 0; len(model) == 0 || random.IntN(10) > 2 == grow && len(model) < most {
				r.Push(len(model))
				model = append(model, len(model))
				continue
			}
			i := random.IntN(len(model))
			last := len(model) - 1
			model[i] = model[last]
			model = model[:last]
			moved := r.Remove(i)
			if i < last {
				require.Equal(t, model[i], moved)
				require.Equal(t, model[i], r.At(i))
			}
			require.LessOrEqual(t, r.Segments(), r.Len()/actors.Segment+2)
		}
		require.Equal(t, len(model), r.Len())
		for i, e := range model {
			require.Equal(t, e, r.At(i))
		}
	}
	require.Less(t, len(model), most/2)
}

// TestAParkedKeyIsForgottenWhenItHasGoneUnused for as long as it should, although its actor has left long before. A question is no use.
func TestAParkedKeyIsForgottenWhenItHasGoneUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, &script{}, actors.Config{IdleAfter: idle}, nil)
		require.NoError(t, do(t, s, "a", toForget))
		for range 3 {
			after(idle / 4)
			require.NoError(t, do(t, s, "a", func(now int64, _ *state) actors.Next { return unused(fresh(now)) }))
		}
		after(idle/4 - 1)
		require.Equal(t, actors.Stats{Keys: 1}, s.Stats())
		after(1)
		require.Equal(t, actors.Stats{Evicted: 1}, s.Stats())
	})
}
