package guard

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestATableIsTheLeastOfTheLatest: a read of a table returns the least, over the rows, of the
// latest instant that was written into the same cell. tableModel works the answer out from a list
// of all writes, for hashes that collide all the time. So a read is never before a write for the
// same hash, and never after the latest of all writes.
func TestATableIsTheLeastOfTheLatest(t *testing.T) {
	var m tableModel
	collisions := 0
	n := cases(t, func(_ uint64, r *rand.Rand) error {
		random := func() (h hashed) { // two or three cells in each row, the first and the last among them
			for range sketchRows {
				h = h<<16 | hashed([]int{0, sketchWidth - 1, 1}[r.IntN(2+r.IntN(2))])
			}
			return h
		}
		for range 1 + r.IntN(12) {
			m.raise(random(), r.Int64N(1<<40))
			h := random()
			want, own := m.least(h)
			if got := m.table.least(h); got != want || got < own {
				return fmt.Errorf("%x reads %d, should be %d, its own latest is %d: %+v", h, got, want, own, m.writes)
			}
			if want > own {
				collisions++
			}
		}
		m.clear()
		return nil
	})
	if n >= 3000 {
		require.Greater(t, collisions, 1000, "hardly ever do hashes collide")
	}
}

// tableModel is a table and a list of all writes.
type tableModel struct {
	table  table
	writes []tableWrite
}

type tableWrite struct {
	h  hashed
	at int64
}

// raise writes into the table and the list.
func (m *tableModel) raise(h hashed, at int64) {
	m.table.raise(h, at)
	m.writes = append(m.writes, tableWrite{h, at})
}

// least returns the instant that the table must return for h, and the latest instant written for h.
func (m *tableModel) least(h hashed) (want, own int64) {
	want = 1 << 62
	for row := range sketchRows {
		latest := int64(0)
		for _, w := range m.writes {
			if w.h.index(row) == h.index(row) {
				latest = max(latest, w.at)
			}
			if w.h == h {
				own = max(own, w.at)
			}
		}
		want = min(want, latest)
	}
	return want, own
}

// clear empties the cells that were written, since a table is large.
func (m *tableModel) clear() {
	for _, w := range m.writes {
		for row := range sketchRows {
			*m.table.place(w.h.index(row)) = 0
		}
	}
	m.writes = m.writes[:0]
}

// TestTheSketchDominatesWhateverIsDone spills, recalls, pardons and clears in any order. A read of
// a bucket is never before any write for the bucket since the key's last pardon; while the key has
// a memory of its own, the read is never before the last write. A breaker is read as the breaker
// was left, once. A key that is as new reads as new. Keys are many, so that memories of their own
// run out and are written back, and few of the keys are busy.
func TestTheSketchDominatesWhateverIsDone(t *testing.T) {
	const together = 1000 // cases with one sketch, since it is large
	m := sketchModel{held: map[string][]int64{}, tripped: map[string]int64{}}
	next := uint64(0)
	n := cases(t, func(seed uint64, _ *rand.Rand) error {
		if m.sketch == nil || seed%together == 0 {
			m.sketch = newSketch(2)
			clear(m.held)
			clear(m.tripped)
			next = seed - seed%together
		}
		for ; next <= seed; next++ { // more than one if it is to be replayed
			m.Rand = rand.New(rand.NewPCG(next, 0))
			for range 20 {
				if err := m.step(); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if n >= 3000 {
		require.Greater(t, m.exact, m.reads*9/10, "of few keys hardly one finds what others left")
		require.Equal(t, maxPardons, m.pardoned)
		require.Less(t, m.forgotten, m.reads/1000, "so few breakers have room")
	}
}

// sketchModel is a sketch and the instants that the sketch must return.
type sketchModel struct {
	*sketch
	*rand.Rand
	held         map[string][]int64 // of each key, the instants before which its buckets must not be read
	tripped      map[string]int64   // until when the breaker of each is open
	reads, exact int
	forgotten    int // breakers
	pardoned     int // the most keys at a time with a memory of their own
}

func (s *sketchModel) step() error {
	k := fmt.Sprint(s.IntN([]int{20, 5000}[s.IntN(2)]))
	switch s.IntN(8) {
	case 0, 1, 2:
		s.leave(k)
	case 3:
		return s.forgive(k)
	case 4:
		s.leave(k)
		if err := s.forgive(k); err != nil {
			return err
		}
		s.leave(k)
	case 5:
		if s.IntN(4000) == 0 {
			s.clear()
			clear(s.held)
			clear(s.tripped)
			if !s.asNew(k) {
				return fmt.Errorf("all is cleared and key %s is not as new", k)
			}
		}
	default:
		return s.read(k)
	}
	return nil
}

// leave spills a key with any instants, later ones or earlier ones.
func (s *sketchModel) leave(k string) {
	fullAts, probeAt := []int64{1 + s.Int64N(1<<40), 1 + s.Int64N(1<<30)}, s.Int64N(1<<40)*s.Int64N(2)
	held := s.held[k]
	if _, pardoned := s.pardons[k]; pardoned || held == nil {
		held = make([]int64, 2)
	}
	s.spill(k, fullAts, remnant{probeAt: probeAt}, false)
	s.held[k] = []int64{max(held[0], fullAts[0]), max(held[1], fullAts[1])}
	s.tripped[k] = max(s.tripped[k], probeAt)
}

// forgive pardons a key.
func (s *sketchModel) forgive(k string) error {
	s.pardon(k)
	delete(s.held, k)
	delete(s.tripped, k)
	s.pardoned = max(s.pardoned, len(s.pardons))
	if !s.asNew(k) {
		return fmt.Errorf("key %s has been pardoned and is not as new", k)
	}
	return nil
}

// read recalls a key whose buckets would be full at 1 and 2.
func (s *sketchModel) read(k string) error {
	fullAts, held, tripped, asNew := []int64{1, 2}, s.held[k], s.tripped[k], s.asNew(k)
	probeAt := s.recall(k, two, fullAts).probeAt
	delete(s.tripped, k)
	if held == nil {
		held = []int64{1, 2}
	}
	if fullAts[0] < max(1, held[0]) || fullAts[1] < max(2, held[1]) || probeAt != tripped && probeAt != 0 {
		return fmt.Errorf("key %s reads %v and %d, what it left was %v and %d", k, fullAts, probeAt, held, tripped)
	}
	if asNew && (fullAts[0] != 1 || fullAts[1] != 2 || probeAt != 0) {
		return fmt.Errorf("key %s is as new and reads %v and %d", k, fullAts, probeAt)
	}
	s.reads++
	if fullAts[0] == max(1, held[0]) {
		s.exact++
	}
	if probeAt != tripped {
		s.forgotten++
	}
	return nil
}

// asNew reports whether nothing is held against key.
func (s *sketch) asNew(key string) bool {
	h := s.hash(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trips.find(h) != nil {
		return false
	}
	if fullAts, pardoned := s.pardons[key]; pardoned {
		return fullAts == nil
	}
	return !s.owes(h)
}
