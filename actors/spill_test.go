package actors_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
)

// spilling is a script whose keys are the hotter the greater their number; a negative one never goes. gone has what was spilled.
func spilling(gone *tape[string]) *script {
	return &script{
		rank: func(_ *face, s *state) int64 {
			if s == nil {
				return 0
			}
			if s.n < 0 {
				return actors.Never
			}
			return int64(s.n)
		},
		spill: func(key string, _ *face, s *state) { gone.add(fmt.Sprint(key, " ", s.n)) },
	}
}

// TestTheColdestGoes, of those without an actor; a running one only if there is none, and one that is owed something never.
func TestTheColdestGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone tape[string]
		s := open(t, spilling(&gone), actors.Config{MaxKeys: 4, IdleAfter: idle}, nil)
		for i, n := range []int{7, 3, 9} {
			require.NoError(t, do(t, s, fmt.Sprint("rests ", i), add(n)))
		}
		after(2 * idle)
		linger(t, s, "runs")
		require.NoError(t, do(t, s, "runs", add(1)))
		for i, want := range []string{"rests 1 3", "rests 0 7", "rests 2 9"} {
			linger(t, s, fmt.Sprint("new ", i))
			require.NoError(t, do(t, s, fmt.Sprint("new ", i), add(100+i)))
			require.Equal(t, want, gone.get()[i])
		}
		require.Equal(t, actors.Stats{Keys: 4, Actors: 4, Spilled: 3}, s.Stats())
		cellOf(t, s, "one more")
		require.Equal(t, "runs 1", gone.get()[3], "all have been told to leave, and this one was the coldest")

		for key := range s.Keys() {
			require.NoError(t, do(t, s, key, func(now int64, st *state) actors.Next {
				st.n = -1
				next := rest(now)
				next.Wake = now + int64(time.Hour)
				return next
			}))
		}
		_, err := s.Cell("too many")
		require.ErrorIs(t, err, actors.ErrKeyLimit)
		after(2 * time.Hour)
		require.Zero(t, s.Stats().Actors)
		_, err = s.Cell("too many")
		require.ErrorIs(t, err, actors.ErrKeyLimit, "nor one that is not to go for other reasons")
		require.Len(t, gone.get(), 4)
	})
}

// TestASenderFindsThatItsCellWasSpilled, and its message is not lost.
func TestASenderFindsThatItsCellWasSpilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone tape[string]
		s := open(t, spilling(&gone), actors.Config{MaxKeys: 1, IdleAfter: idle}, nil)
		require.NoError(t, do(t, s, "a", add(1)))
		old := cellOf(t, s, "a")
		after(2 * idle)
		require.NoError(t, do(t, s, "b", add(2)))
		require.ErrorIs(t, s.Send(t.Context(), old, message{}), actors.ErrRetired)
		require.NoError(t, do(t, s, "a", add(5)))
		require.Equal(t, []string{"a 1", "b 2"}, gone.get())
	})
}

// TestRoomAmongManyRunning: those that were told to leave are found again, among more than are looked at in one search.
func TestRoomAmongManyRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone tape[string]
		s := open(t, spilling(&gone), actors.Config{MaxKeys: 2000}, nil)
		for i := range 2000 {
			require.NoError(t, do(t, s, fmt.Sprint(i), add(1)))
		}
		for i := range 10 {
			require.NoError(t, do(t, s, fmt.Sprint("new ", i), add(1)))
			require.Len(t, gone.get(), i+1)
		}
	})
}
