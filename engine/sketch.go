package engine

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
)

// sketch keeps the debts of spilled keys in a memory that does not grow with their number.
//
// For each limit there is a table: a count-min sketch (Cormode and Muthukrishnan, 2005) with the maximum in place of the sum. The
// instant at which a key's bucket is full again is written into one cell of each row, chosen by the hash of the key, and a cell only
// grows. The least of the four cells is read. So an instant that is read is never before the instant that was written: a key that comes back has at most the tokens that it left with. A key may find later instants of other keys in all its
// cells. With m keys whose instants have not come, the chance is about (m / 65,536)^4. A cell heals by itself when its instant comes.
//
// A breaker guards no quota, so for breakers the sketch errs to the other side. Trips keeps the open breakers of up to 131,072 keys,
// each under the whole hash of its key, and forgets the oldest where there is no room. A key never finds the breaker of another, but
// for two hashes of 64 bits that are equal.
type sketch struct {
	mu      sync.Mutex // held for some ten nanoseconds, while a key is born, spilled or reset
	seed    maphash.Seed
	full    []table // one for each limit, from the first spill on
	trips   trips   // from the first spill of an open breaker on
	used    bool    // whether a key was spilled since the last clear
	hits    uint64  // keys that were born with less than a new key has
	pardons map[string][]int64
}

const (
	sketchRows  = 4
	sketchWidth = 1 << 16
	maxPardons  = 1 << 10
)

// table is one array of instants, 2 MB; nil is all zero.
type table []int64

// hashed is the hash of a key: 16 bits for the index in each row of a table, and all of it as the name of a trip.
type hashed uint64

func (h hashed) index(row int) int { return row*sketchWidth + int(h>>(16*row)&(sketchWidth-1)) }

// raise writes at for h.
func (t *table) raise(h hashed, at int64) {
	if *t == nil {
		*t = make(table, sketchRows*sketchWidth)
	}
	for row := range sketchRows {
		cell := &(*t)[h.index(row)]
		*cell = max(*cell, at)
	}
}

// least reads the instant of h.
func (t table) least(h hashed) int64 {
	if t == nil {
		return 0
	}
	at := t[h.index(0)]
	for row := 1; row < sketchRows; row++ {
		at = min(at, t[h.index(row)])
	}
	return at
}

// sampled is how many cells of a table load looks at. A hash is as likely to have any of them.
const sampled = 1 << 12

// load is the share of the cells that hold an instant after now.
func (t table) load(now int64) float64 {
	if t == nil {
		return 0
	}
	n := 0
	for _, at := range t[:sampled] {
		if at > now {
			n++
		}
	}
	return float64(n) / sampled
}

const (
	tripSets = 1 << 14
	tripWays = 8
)

// trips is an exact cache of open breakers, 2 MB; nil is empty. A trip is in the set that its hash chooses.
type trips []tripSet

// tripSet has the trips in the order in which they were put.
type tripSet [tripWays]trip

// trip is the open breaker of a key.
type trip struct {
	key     hashed
	probeAt int64 // the instant from which a probe is let through; 0: the place is free
}

// put writes a trip of a key that has none. In a full set the trip with the earliest instant is lost, perhaps this one; of several such
// trips the first that was put.
func (t *trips) put(key hashed, probeAt int64) {
	if *t == nil {
		*t = make(trips, tripSets)
	}
	set := &(*t)[key%tripSets]
	least := 0
	for i := range set {
		if set[i].probeAt < set[least].probeAt {
			least = i
		}
	}
	if set[least].probeAt <= probeAt {
		copy(set[least:], set[least+1:])
		set[tripWays-1] = trip{key, probeAt}
	}
}

// take returns the instant of a trip, or 0, and removes the trip.
func (t trips) take(key hashed) (probeAt int64) {
	if t == nil {
		return 0
	}
	set := &t[key%tripSets]
	for i := range set {
		if set[i].key == key && set[i].probeAt > 0 {
			probeAt = set[i].probeAt
			set[i] = trip{}
			return probeAt
		}
	}
	return 0
}

func newSketch(limits int) *sketch {
	return &sketch{seed: maphash.MakeSeed(), full: make([]table, limits)}
}

func (s *sketch) hash(key string) hashed { return hashed(maphash.String(s.seed, key)) }

// spill remembers key: words are the instants of its limits, and probeAt that of its breaker if it is not closed, or 0.
func (s *sketch) spill(key string, words []int64, probeAt int64) {
	h := s.hash(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if probeAt > 0 {
		s.trips.put(h, max(probeAt, s.trips.take(h))) // there is none, but for the hash of another
	}
	words = words[:len(s.full)]
	if _, pardoned := s.pardons[key]; pardoned {
		s.pardons[key] = slices.Clone(words)
		return
	}
	s.write(h, words)
}

// write raises the cells of h. The lock is held.
func (s *sketch) write(h hashed, words []int64) {
	for i := range words {
		s.full[i].raise(h, words[i])
	}
}

// recall raises words, which are those of a new key, to what is remembered of key, and returns the instant of its breaker, or 0. The
// breaker is remembered no longer: from now on it is the key's own.
func (s *sketch) recall(key string, words []int64) (probeAt int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.used {
		return 0
	}
	h := s.hash(key)
	if own, pardoned := s.pardons[key]; pardoned {
		for i := range own {
			words[i] = max(words[i], own[i])
		}
	} else {
		for i, t := range s.full {
			words[i] = max(words[i], t.least(h))
		}
	}
	return s.trips.take(h)
}

// hit counts a key that was born with less than a new key has.
func (s *sketch) hit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hits++
}

// counted returns how many such keys there were, and the load at now of the table that is fullest.
func (s *sketch) counted(now int64) (hits uint64, load float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.full {
		load = max(load, t.load(now))
	}
	return s.hits, load
}

// pardon has what was remembered of key until now not count any more, without touching what is remembered of others. The breaker is
// forgotten. For its limits the key gets a memory of its own, outside of the tables. Of 1,024 such memories one goes back into the
// tables for the next.
func (s *sketch) pardon(key string) {
	h := s.hash(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trips.take(h)
	if _, pardoned := s.pardons[key]; !pardoned && !s.owes(h) {
		return
	}
	if s.pardons == nil {
		s.pardons = map[string][]int64{}
	}
	for other, words := range s.pardons {
		if len(s.pardons) < maxPardons {
			break
		}
		delete(s.pardons, other)
		s.write(s.hash(other), words)
	}
	s.pardons[strings.Clone(key)] = nil
}

// owes reports whether anything was written into a table for h, or for others that share its cells. The lock is held.
func (s *sketch) owes(h hashed) bool {
	for _, t := range s.full {
		if t.least(h) > 0 {
			return true
		}
	}
	return false
}

// clear forgets everything.
func (s *sketch) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.full)
	s.used, s.trips, s.pardons = false, nil, nil
}
