package guard

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAFullSketchOpensNoBreakers: whatever was spilled, a key that never was meets no open breaker.
func TestAFullSketchOpensNoBreakers(t *testing.T) {
	const spilled, fresh = 400_000, 2_000
	s := newSketch(1)
	for i := range int64(spilled) {
		s.spill(fmt.Sprint("failing ", i), []int64{1}, 1e15+i)
	}
	open := 0
	for i := range fresh {
		if s.recall(fmt.Sprint("fresh ", i), []int64{1}) > 0 {
			open++
		}
	}
	require.Zero(t, open, "of %d fresh keys so many met an open breaker", fresh)
}

// TestTripsKeepTheLatestOfEachSet: of those that share a set the eight with the latest instants are found, of equal ones those that were
// put last, each once and exactly, and no other. It is worked out from a list of all that were put.
func TestTripsKeepTheLatestOfEachSet(t *testing.T) {
	lost, tied := 0, 0
	var cache trips
	n := cases(t, func(_ uint64, r *rand.Rand) error {
		var put []trip // in that order
		find := func(key hashed) int { return slices.IndexFunc(put, func(t trip) bool { return t.key == key }) }
		take := func(key hashed) error {
			want := int64(0)
			if i := find(key); i >= 0 {
				want = put[i].probeAt
				put = slices.Delete(put, i, i+1)
			}
			if got := cache.take(key); got != want {
				return fmt.Errorf("%x is taken with %d, should be %d", key, got, want)
			}
			return nil
		}
		set := []hashed{0, tripSets - 1}[r.IntN(2)]
		for range 60 {
			key := set + hashed(r.IntN(24))*tripSets
			if find(key) >= 0 || r.IntN(4) == 0 {
				if err := take(key); err != nil {
					return err
				}
				continue
			}
			at := 1 + r.Int64N([]int64{3, 1000}[r.IntN(2)])
			cache.put(key, at)
			put = append(put, trip{key, at})
			if len(put) > tripWays {
				least := slices.MinFunc(put, func(a, b trip) int { return cmp.Compare(a.probeAt, b.probeAt) })
				lost++
				if least.probeAt == at {
					tied++
				}
				i := find(least.key) // the first that was put
				put = slices.Delete(put, i, i+1)
			}
		}
		for key := set; key < 25*tripSets; key += tripSets {
			if err := take(key); err != nil {
				return fmt.Errorf("in the end %w", err)
			}
		}
		return nil
	})
	if n >= 3000 {
		require.Greater(t, lost, 3000, "hardly a set was ever full")
		require.Greater(t, tied, 300, "hardly did two compete with one instant")
	}
}
