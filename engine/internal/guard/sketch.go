package guard

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"github.com/limitpal/limitpal-go/limiter"
)

// sketch keeps the debts of spilled keys in a memory that does not grow with their number.
//
// For each limit there is a table: a count-min sketch (Cormode and Muthukrishnan, 2005) with the
// maximum in place of the sum. A key's full-at is written into one cell of each row, chosen by the
// hash of the key, and a cell only grows. The least of the key's four cells is read. So the instant
// that is read is never before the instant that was written: a key that comes back has at most the
// tokens that it left with. A key may find later instants of other keys in all its cells. With m keys
// whose instants have not come, the chance is about (m / 65,536)^4. A cell heals by itself when its
// instant comes.
//
// A breaker guards no quota, so for breakers the sketch errs to the other side: see [trips]. A key
// never finds the breaker of another key, unless two hashes of 64 bits are equal.
type sketch struct {
	mu      sync.Mutex // held for some ten nanoseconds, while a key is born, spilled or reset
	seed    maphash.Seed
	full    []table // one for each limit, from the first spill on
	trips   trips   // from the first spill of an open breaker on
	used    bool    // whether a key was spilled since the last clear
	hits    uint64  // keys that began with less than a new key has
	pardons map[string][]int64
	owing   owing // the debts of keys that were spilled before the last change of the limits
}

const (
	sketchRows  = 4
	sketchWidth = 1 << 16
	maxPardons  = 1 << 10
)

// table is one array of instants, 2 MB if it is full; nil is all zero. A table takes memory for a page
// when the first instant of the page is written.
type table []*page

type page [pageCells]int64

const (
	pageCells  = 1 << 9
	tablePages = sketchRows * sketchWidth / pageCells
)

// hashed is the hash of a key: 16 bits for the index in each row of a table, and all 64 bits as the
// name of a trip.
type hashed uint64

func (h hashed) index(row int) int { return row*sketchWidth + int(h>>(16*row)&(sketchWidth-1)) }

// at is the instant in a cell.
func (t table) at(cell int) int64 {
	if t == nil || t[cell/pageCells] == nil {
		return 0
	}
	return t[cell/pageCells][cell%pageCells]
}

// place returns the place of a cell, to write to.
func (t *table) place(cell int) *int64 {
	if *t == nil {
		*t = make(table, tablePages)
	}
	p := &(*t)[cell/pageCells]
	if *p == nil {
		*p = new(page)
	}
	return &(*p)[cell%pageCells]
}

// raise writes at for h.
func (t *table) raise(h hashed, at int64) {
	for row := range sketchRows {
		cell := t.place(h.index(row))
		*cell = max(*cell, at)
	}
}

// least reads the instant of h.
func (t table) least(h hashed) int64 {
	if t == nil {
		return 0
	}
	at := t.at(h.index(0))
	for row := 1; row < sketchRows; row++ {
		at = min(at, t.at(h.index(row)))
	}
	return at
}

// sampled is how many cells of a table load looks at. A hash is as likely to have one cell as another.
const sampled = 1 << 12

// load is the share of the cells that hold an instant after now.
func (t table) load(now int64) float64 {
	if t == nil {
		return 0
	}
	n := 0
	for cell := range sampled {
		if t.at(cell) > now {
			n++
		}
	}
	return float64(n) / sampled
}

func newSketch(limits int) *sketch {
	return &sketch{seed: maphash.MakeSeed(), full: make([]table, limits)}
}

func (s *sketch) hash(key string) hashed { return hashed(maphash.String(s.seed, key)) }

// spill remembers key: fullAts are those of the key's limits, and open is the remnant of the breaker. With
// stale, the limits are those from before the last change.
func (s *sketch) spill(key string, fullAts []int64, open remnant, stale bool) {
	h := s.hash(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if open.probeAt > 0 {
		if other := s.trips.take(h); other.probeAt > open.probeAt { // there is one only if two hashes are equal
			open = other
		}
		s.trips.put(h, open)
	}
	if Planted("a sketch that forgets") {
		fullAts = make([]int64, len(fullAts))
	}
	if stale {
		fullAts = asOf(s.owing.at, 0, fullAts)
	}
	if _, pardoned := s.pardons[key]; pardoned {
		s.pardons[key] = slices.Clone(fullAts)
		return
	}
	s.write(h, fullAts)
}

// write raises the cells of h. A number below 0 says that nothing but the instant is known at which the bucket had
// less than all its tokens: that of the last change, or a later one. The lock is held.
func (s *sketch) write(h hashed, fullAts []int64) {
	for i, fullAt := range fullAts {
		if fullAt < 0 {
			s.owing.mark(i, h, -fullAt)
			continue
		}
		for i >= len(s.full) {
			s.full = append(s.full, nil)
		}
		s.full[i].raise(h, fullAt)
	}
}

// recall raises fullAts, which are those of a new key, to the instants that the sketch remembers of
// key, and returns the remnant of the key's breaker. That is remembered no longer: from now on the
// breaker is the key's own.
func (s *sketch) recall(key string, limits limiter.Limits, fullAts []int64) remnant {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.used {
		return remnant{}
	}
	h := s.hash(key)
	s.read(h, key, limits, fullAts)
	return s.trips.take(h)
}

// look is recall, and the trip stays remembered.
func (s *sketch) look(key string, limits limiter.Limits, fullAts []int64) remnant {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.used {
		return remnant{}
	}
	h := s.hash(key)
	s.read(h, key, limits, fullAts)
	return s.trips.find(h).remnant()
}

// read raises fullAts, those of limits, to the instants that are remembered of key, whose hash is h. The
// lock is held.
func (s *sketch) read(h hashed, key string, limits limiter.Limits, fullAts []int64) {
	own, pardoned := s.pardons[key]
	for i := range limits {
		var fullAt, emptyAt int64
		switch {
		case pardoned && i < len(own):
			fullAt, emptyAt = own[i], -own[i]
		case pardoned:
		default:
			if i < len(s.full) {
				fullAt = s.full[i].least(h)
			}
			if s.owing.marked(i, h) {
				emptyAt = s.owing.at
			}
		}
		fullAts[i] = max(fullAts[i], fullAt)
		if emptyAt > 0 {
			fullAts[i] = max(fullAts[i], limits[i].EmptyAt(emptyAt))
		}
	}
}

// hit counts a key that began with less than a new key has.
func (s *sketch) hit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hits++
}

// counted returns the number of such keys, and the load at now of the fullest table. An empty bucket fills
// within longest.
func (s *sketch) counted(now, longest int64) (hits uint64, load float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.full {
		load = max(load, t.load(now))
	}
	if Later(s.owing.at, longest) > now {
		load = max(load, s.owing.load())
	}
	return s.hits, load
}

// pardon forgets the debt of key, without touching the debts of other keys. The trip is forgotten. For
// its limits the key gets a memory of its own, outside of the tables. When there are 1,024 such
// memories, one of them is written back into the tables before the next is made.
func (s *sketch) pardon(key string) {
	h := s.hash(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trips.take(h)
	if _, pardoned := s.pardons[key]; !pardoned && !s.owes(h) {
		return
	}
	s.keep(key, nil)
}

// keep gives key a memory of its own. The lock is held.
func (s *sketch) keep(key string, fullAts []int64) {
	if s.pardons == nil {
		s.pardons = map[string][]int64{}
	}
	for other, fullAts := range s.pardons {
		if len(s.pardons) < maxPardons {
			break
		}
		delete(s.pardons, other)
		s.write(s.hash(other), fullAts)
	}
	s.pardons[strings.Clone(key)] = fullAts
}

// owes reports whether an instant was written for h, or for other hashes that share all cells of h. The
// lock is held.
func (s *sketch) owes(h hashed) bool {
	for _, t := range s.full {
		if t.least(h) > 0 {
			return true
		}
	}
	for i := range s.owing.cells {
		if s.owing.marked(i, h) {
			return true
		}
	}
	return s.owing.before != nil
}

// forgetTrips forgets every open breaker.
func (s *sketch) forgetTrips() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trips = nil
}

// clear forgets everything.
func (s *sketch) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.full)
	s.used, s.trips, s.pardons, s.owing = false, nil, nil, owing{at: s.owing.at}
}
