package guard

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAFullSketchOpensNoBreakers: a new key meets no open breaker, however many keys were spilled.
func TestAFullSketchOpensNoBreakers(t *testing.T) {
	const spilled, fresh = 400_000, 2_000
	s := newSketch(1)
	for i := range int64(spilled) {
		s.spill(fmt.Sprint("failing ", i), []int64{1}, remnant{probeAt: 1e15 + i}, false)
	}
	open := 0
	for i := range fresh {
		if s.recall(fmt.Sprint("fresh ", i), one, []int64{1}).probeAt > 0 {
			open++
		}
	}
	require.Zero(t, open, "of %d fresh keys so many met an open breaker", fresh)
}

// TestTripsKeepTheLatestOfEachSet: of the keys that share a set, take finds the eight with the
// latest instants, each once and exactly. Of keys with equal instants, take finds the latest that
// were put. The model works the answers out from a list of all puts.
func TestTripsKeepTheLatestOfEachSet(t *testing.T) {
	var m tripsModel
	n := cases(t, func(_ uint64, r *rand.Rand) error {
		m.listed = nil
		set := []hashed{0, tripSets - 1}[r.IntN(2)]
		for range 60 {
			key := set + hashed(r.IntN(24))*tripSets
			if m.find(key) < 0 && r.IntN(4) > 0 {
				m.put(key, remnant{1 + r.Int64N([]int64{3, 1000}[r.IntN(2)]), r.IntN(63)})
			} else if err := m.take(key); err != nil {
				return err
			}
		}
		for key := set; key < 25*tripSets; key += tripSets {
			if err := m.take(key); err != nil {
				return fmt.Errorf("in the end %w", err)
			}
		}
		return nil
	})
	if n >= 3000 {
		require.Greater(t, m.lost, 3000, "hardly a set was ever full")
		require.Greater(t, m.tied, 300, "hardly did two keys compete with one instant")
	}
}

// tripsModel is a cache and a list of the instants that the cache must hold for one set.
type tripsModel struct {
	cache  trips
	listed []listed // in the order of the puts
	lost   int      // instants that had to make room
	tied   int      // instants among the lost that were equal to the new one
}

// listed is what was put.
type listed struct {
	key hashed
	remnant
}

// find returns the place of key in the list, or -1.
func (m *tripsModel) find(key hashed) int {
	return slices.IndexFunc(m.listed, func(t listed) bool { return t.key == key })
}

// put writes an instant, and drops the least instant of a list that has become too long.
func (m *tripsModel) put(key hashed, open remnant) {
	m.cache.put(key, open)
	m.listed = append(m.listed, listed{key, open})
	if len(m.listed) <= tripWays {
		return
	}
	least := slices.MinFunc(m.listed, func(a, b listed) int { return cmp.Compare(a.probeAt, b.probeAt) })
	m.lost++
	if least.probeAt == open.probeAt {
		m.tied++
	}
	i := m.find(least.key) // the first that was put
	m.listed = slices.Delete(m.listed, i, i+1)
}

// take takes the instant of key out of the cache and of the list, and compares the two.
func (m *tripsModel) take(key hashed) error {
	want := remnant{}
	if i := m.find(key); i >= 0 {
		want = m.listed[i].remnant
		m.listed = slices.Delete(m.listed, i, i+1)
	}
	if got := m.cache.take(key); got != want {
		return fmt.Errorf("%x is taken with %+v, should be %+v", key, got, want)
	}
	return nil
}
