package engine

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
)

// sketch remembers keys that had to be forgotten before they were as new, in a memory that does not grow with their number: of
// each limit the instant at which a key's bucket is full again, and the instant from which its breaker lets a probe through. It is
// a count-min sketch (Cormode and Muthukrishnan, 2005) with the maximum in place of the sum. An instant is written into one cell of
// each row, chosen by the hash of the key, and cells only grow; what is read is the least of a key's cells. So what is read is never
// before what was written, whatever else was: a key that comes back has at most the tokens that it left with.
//
// Keys that share all their cells with others may find instants later than their own. With m keys whose instants have not come
// yet, the chance is about (m / 65,536)^4. The cells heal by themselves when their instants come.
type sketch struct {
	mu      sync.Mutex // held for some ten nanoseconds, while a key is born, spilled or reset
	seed    maphash.Seed
	full    []table // one for each limit, from the first spill on
	probe   table   // from the first spill of an open breaker on
	hits    uint64  // keys that were born with less than a new key has
	pardons map[string]memory
}

// memory is what is remembered of one key.
type memory struct {
	words   []int64
	probeAt int64
}

const (
	sketchRows  = 4
	sketchWidth = 1 << 16
	maxPardons  = 1 << 10
)

// table is one array of instants, 2 MB; nil is all zero.
type table []int64

// hashed is the hash of a key: 16 bits for the index in each row.
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

func newSketch(limits int) *sketch {
	return &sketch{seed: maphash.MakeSeed(), full: make([]table, limits)}
}

func (s *sketch) hash(key string) hashed { return hashed(maphash.String(s.seed, key)) }

// spill remembers key: words are the instants of its limits, and probeAt that of its breaker if it is not closed, or 0.
func (s *sketch) spill(key string, words []int64, probeAt int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := memory{words[:len(s.full)], probeAt}
	if _, pardoned := s.pardons[key]; pardoned {
		s.pardons[key] = memory{slices.Clone(m.words), probeAt}
		return
	}
	s.write(key, m)
}

// write raises the cells of key. The lock is held.
func (s *sketch) write(key string, m memory) {
	h := s.hash(key)
	for i := range m.words {
		s.full[i].raise(h, m.words[i])
	}
	if m.probeAt > 0 {
		s.probe.raise(h, m.probeAt)
	}
}

// recall raises words, which are those of a new key, to what is remembered of key, and returns the instant of its breaker, or 0.
func (s *sketch) recall(key string, words []int64) (probeAt int64) {
	h := s.hash(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, pardoned := s.pardons[key]; pardoned {
		for i := range m.words {
			words[i] = max(words[i], m.words[i])
		}
		return m.probeAt
	}
	for i, t := range s.full {
		words[i] = max(words[i], t.least(h))
	}
	return s.probe.least(h)
}

// hit counts a key that was born with less than a new key has.
func (s *sketch) hit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hits++
}

// counted is how many such keys there were.
func (s *sketch) counted() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits
}

// pardon has what was remembered of key until now not count any more, without touching what is remembered of others: the key gets a
// memory of its own, outside of the arrays. Of 1,024 such memories one goes back into the arrays for the next.
func (s *sketch) pardon(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, pardoned := s.pardons[key]; !pardoned && !s.remembers(key) {
		return
	}
	if s.pardons == nil {
		s.pardons = map[string]memory{}
	}
	for other, m := range s.pardons {
		if len(s.pardons) < maxPardons {
			break
		}
		delete(s.pardons, other)
		s.write(other, m)
	}
	s.pardons[strings.Clone(key)] = memory{}
}

// remembers reports whether anything was written for key, or for keys that share its cells. The lock is held.
func (s *sketch) remembers(key string) bool {
	h := s.hash(key)
	for _, t := range s.full {
		if t.least(h) > 0 {
			return true
		}
	}
	return s.probe.least(h) > 0
}

// clear forgets everything.
func (s *sketch) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.full)
	s.probe, s.pardons = nil, nil
}
