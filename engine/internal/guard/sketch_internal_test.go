package guard

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

// One limit, and two.
var one, two = make(limiter.Limits, 1), make(limiter.Limits, 2)

// TestTheSketchDominates: whichever keys were spilled, the sketch returns no instant before a
// bucket's own, and for a breaker the breaker's own instant or none.
func TestTheSketchDominates(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 3))
		s := newSketch(2)
		type memory struct {
			fullAts [2]int64
			probeAt int64 // the latest
		}
		spilled := map[string]memory{}
		for range 60_000 {
			key := strconv.Itoa(rng.IntN(30_000))
			m := spilled[key]
			fullAts, probeAt := []int64{rng.Int64N(1e15), rng.Int64N(1e12)}, rng.Int64N(1e15)*rng.Int64N(2)
			s.spill(key, fullAts, remnant{probeAt: probeAt}, false)
			spilled[key] = memory{[2]int64{max(m.fullAts[0], fullAts[0]), max(m.fullAts[1], fullAts[1])}, max(m.probeAt, probeAt)}
		}
		exact, forgotten := 0, 0
		for key, m := range spilled {
			fullAts := []int64{1, 1}
			probeAt := s.recall(key, two, fullAts).probeAt
			require.GreaterOrEqual(t, fullAts[0], m.fullAts[0], "seed %d, key %s", seed, key)
			require.GreaterOrEqual(t, fullAts[1], m.fullAts[1], "seed %d, key %s", seed, key)
			if probeAt == 0 && m.probeAt > 0 {
				forgotten++
			} else {
				require.Equal(t, m.probeAt, probeAt, "seed %d, key %s", seed, key)
			}
			require.Zero(t, s.recall(key, two, fullAts), "it has been taken")
			if fullAts[0] == m.fullAts[0] {
				exact++
			}
		}
		require.Greater(t, exact, len(spilled)*9/10, "26,000 keys of 65,536 cells in a row: about one in a hundred is a victim of the others")
		require.Less(t, forgotten, 10, "15,000 breakers of 131,072")
	}
}

func TestTheSketchTakesNoMemoryBeforeItIsNeeded(t *testing.T) {
	s := newSketch(2)
	fullAts := []int64{7, 8}
	require.Zero(t, s.recall("a", two, fullAts))
	require.Equal(t, []int64{7, 8}, fullAts)
	s.pardon("a")
	require.Nil(t, s.pardons)
	require.Nil(t, s.full[0])
	s.spill("b", fullAts, remnant{probeAt: 0}, false)
	require.Len(t, s.full[0], tablePages)
	require.Nil(t, s.trips, "no breaker was open")
	s = newSketch(0)
	s.spill("b", nil, remnant{probeAt: 7}, false)
	s.pardon("b")
	require.Zero(t, s.recall("b", nil, fullAts), "without a limit, too")
	require.Nil(t, s.pardons)
}

func TestAPardon(t *testing.T) {
	s := newSketch(1)
	read := func(key string) int64 {
		fullAts := []int64{1}
		s.recall(key, one, fullAts)
		return fullAts[0]
	}
	s.spill("a", []int64{100}, remnant{probeAt: 50}, false)
	s.spill("b", []int64{200}, remnant{probeAt: 0}, false)
	require.False(t, s.asNew("a"))
	s.pardon("a")
	require.True(t, s.asNew("a"))
	require.EqualValues(t, 1, read("a"))
	require.Zero(t, s.recall("a", one, []int64{1}))
	require.EqualValues(t, 200, read("b"), "the others have lost nothing")
	s.spill("a", []int64{70}, remnant{probeAt: 0}, false)
	require.False(t, s.asNew("a"), "it has been used since")
	require.EqualValues(t, 70, read("a"), "what was before does not count")
	require.Zero(t, s.recall("a", one, []int64{1}))
	s.spill("a", []int64{80}, remnant{probeAt: 60}, false)
	require.EqualValues(t, 60, s.recall("a", one, []int64{1}).probeAt)
	require.Zero(t, s.recall("a", one, []int64{1}), "it is the key's own now")
	require.EqualValues(t, 80, read("a"))

	for i := range int64(3 * maxPardons) {
		key := fmt.Sprint(i)
		s.spill(key, []int64{300}, remnant{probeAt: 0}, false)
		s.pardon(key)
		require.True(t, s.asNew(key), "the last one counts")
		s.spill(key, []int64{400 + i}, remnant{probeAt: 0}, false)
	}
	require.Len(t, s.pardons, maxPardons)
	for i := range int64(3 * maxPardons) {
		require.GreaterOrEqual(t, read(fmt.Sprint(i)), 400+i, "what a key has spilled since outlives its pardon")
	}
	s.clear()
	require.EqualValues(t, 1, read("b"))
	require.True(t, s.asNew("b"))
	require.Nil(t, s.full[0])
}
