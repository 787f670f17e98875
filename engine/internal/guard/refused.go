package guard

import (
	"cmp"
	"slices"
	"sync/atomic"
	"unsafe"
)

// Refused counts the refusals of the keys that are refused most, in a memory of at most 32 kB.
//
// It is a Space-Saving sketch (Metwally, Agrawal and El Abbadi, 2005) in sets of four: a key that is not in its
// set takes the place of the key with the least count there, and goes on from that count. So a count is never
// too low, and too high by about a 2,048th of all refusals at most. A key is known by its cell, so that
// no name is hashed; a place that a key has lost with its cell is added when the counts are read.
//
// The first refusals are all counted. Later one in sixteen is, for sixteen: see [Sampled]. Counting takes no
// lock; goroutines that count at the same time may lose a few refusals of keys that come and go.
type Refused struct {
	pages [refusedPages]atomic.Pointer[refusedPage] // each from the first refusal of one of its keys on
}

const (
	refusedSets  = 1 << 9
	refusedPages = 1 << 5
)

type refusedPage [refusedSets / refusedPages]refusedSet

// refusedSet is a cache line.
type refusedSet [4]struct {
	cell  atomic.Pointer[Cell]
	count atomic.Uint64
}

const (
	exactly = 1 << 10 // refusals of a stripe that are all counted
	weight  = 1 << 4
	golden  = 0x9e3779b97f4a7c15 // 2^64 / golden ratio spreads numbers (Fibonacci hashing)
)

// Sampled reports whether the refusal that is number n of its stripe is to be given to [Refused.Count]. The
// fractions of n times the golden ratio follow no pattern that the order of keys could have.
func Sampled(n uint64) bool { return n/exactly*(n*golden>>60) == 0 } // one of the factors is 0

// Count counts a refusal of the key of c, number n of its stripe, for as many as it stands for.
func (r *Refused) Count(c *Cell, n uint64) {
	stands := uint64(1)
	if n >= exactly {
		stands = weight
	}
	address := uint64(uintptr(unsafe.Pointer(c)))
	place := address >> 6 * golden >> (64 - 9)
	page := &r.pages[place%refusedPages]
	sets := page.Load()
	if sets == nil {
		page.CompareAndSwap(nil, new(refusedPage))
		sets = page.Load()
	}
	set := &sets[place/refusedPages]
	least := 0
	for i := range set {
		if set[i].cell.Load() == c {
			set[i].count.Add(stands)
			return
		}
		if set[i].count.Load() < set[least].count.Load() {
			least = i
		}
	}
	set[least].cell.Store(c)
	set[least].count.Add(stands)
}

// KeyCount is a key and the number of its refusals.
type KeyCount struct {
	Key     string
	Refused uint64
}

// add adds the counts of the page to those of the keys. A nil page has none.
func (p *refusedPage) add(counts map[string]uint64) {
	if p == nil {
		return
	}
	for i := range p {
		for j := range p[i] {
			if c := p[i][j].cell.Load(); c != nil {
				counts[c.Key()] += p[i][j].count.Load()
			}
		}
	}
}

// Most returns the n keys with the highest counts, highest first.
func (r *Refused) Most(n int) []KeyCount {
	counts := map[string]uint64{}
	for i := range r.pages {
		r.pages[i].Load().add(counts)
	}
	if len(counts) == 0 || n <= 0 {
		return nil
	}
	most := make([]KeyCount, 0, len(counts))
	for key, count := range counts {
		most = append(most, KeyCount{key, count})
	}
	slices.SortFunc(most, func(a, b KeyCount) int {
		return cmp.Or(cmp.Compare(b.Refused, a.Refused), cmp.Compare(a.Key, b.Key))
	})
	return slices.Clip(most[:min(n, len(most))])
}
