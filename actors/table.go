package actors

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

const (
	tableSegment = 256 // buckets that the table takes memory for at a time
	tableLoad    = 2   // keys per bucket
)

// table finds the cell of a key. Lookups take no lock; the lifecycle lock orders insertion and removal, whose cost does not
// grow with the number of keys.
//
// The table is a split-ordered list (Shalev and Shavit, 2006): one linked list of all keys in the order of their reversed
// hashes. A bucket is an entry point into the list, and a new bucket is one more entry point. So the table grows and shrinks
// by one bucket at a time, as linear hashing does, and no key ever moves: a lookup needs no luck and no second try.
type table[P, S, M any] struct {
	seed     maphash.Seed
	buckets  atomic.Uint64
	segments atomic.Pointer[[]*[tableSegment]entry[P, S, M]]
	keys     uint64 // guarded by the lifecycle lock
}

// entry is an element of the list. The entry of a key has an odd order; that of a bucket an even order, and no cell.
type entry[P, S, M any] struct {
	next  atomic.Pointer[entry[P, S, M]]
	order uint64
	cell  *Cell[P, S, M]
}

// init makes the table ready for use.
func (t *table[P, S, M]) init() {
	t.seed = maphash.MakeSeed()
	t.segments.Store(&[]*[tableSegment]entry[P, S, M]{new([tableSegment]entry[P, S, M])})
	t.buckets.Store(1)
}

// bucketOf is the bucket of a hash among n.
func bucketOf(hash, n uint64) uint64 {
	mask := uint64(1)<<bits.Len64(n-1) - 1
	if bucket := hash & mask; bucket < n {
		return bucket
	}
	return hash & (mask >> 1)
}

// orderOf is the place of a key with that hash.
func orderOf(hash uint64) uint64 { return bits.Reverse64(hash) | 1 }

// bucket returns the entry of the bucket for a hash.
func (t *table[P, S, M]) bucket(hash uint64) *entry[P, S, M] {
	for {
		b := bucketOf(hash, t.buckets.Load())
		if segments := *t.segments.Load(); b/tableSegment < uint64(len(segments)) { // else the table has just grown or shrunk
			return &segments[b/tableSegment][b%tableSegment]
		}
	}
}

// load returns the cell of key, or nil.
func (t *table[P, S, M]) load(key string) *Cell[P, S, M] {
	hash := maphash.String(t.seed, key)
	order := orderOf(hash)
	e := t.bucket(hash).next.Load()
	for e != nil && e.order < order {
		e = e.next.Load()
	}
	for ; e != nil && e.order == order; e = e.next.Load() {
		if e.cell.key == key {
			return e.cell
		}
	}
	return nil
}

// store adds the cell of a key that has none. The lifecycle lock is held.
func (t *table[P, S, M]) store(c *Cell[P, S, M]) {
	hash := maphash.String(t.seed, c.key)
	t.link(t.bucket(hash), &entry[P, S, M]{order: orderOf(hash), cell: c})
	if t.keys++; t.keys > tableLoad*t.buckets.Load() {
		t.grow()
	}
}

// delete removes c. The lifecycle lock is held. A reader that stands on the entry of c still finds the rest of the list.
func (t *table[P, S, M]) delete(c *Cell[P, S, M]) {
	before := t.bucket(maphash.String(t.seed, c.key))
	e := before.next.Load()
	for ; e.cell != c; e = e.next.Load() {
		before = e
	}
	before.next.Store(e.next.Load())
	if n := t.buckets.Load(); n > 1 && tableLoad*(n-1) > 2*t.keys {
		t.shrink(n - 1)
	}
	t.keys--
}

// link puts e into the list behind from, where its order belongs. The lifecycle lock is held.
func (t *table[P, S, M]) link(from, e *entry[P, S, M]) {
	next := from.next.Load()
	for ; next != nil && next.order < e.order; next = next.next.Load() {
		from = next
	}
	e.next.Store(next)
	from.next.Store(e)
}

// grow adds a bucket. A reader finds the entry of the bucket in the list before the bucket.
func (t *table[P, S, M]) grow() {
	n := t.buckets.Load()
	segments := *t.segments.Load()
	if n == tableSegment*uint64(len(segments)) {
		segments = append(segments, new([tableSegment]entry[P, S, M])) // no reader looks behind the length of its own slice
		t.segments.Store(&segments)
	}
	e := &segments[n/tableSegment][n%tableSegment]
	if e.order == 0 { // else the bucket was there before, and a late reader may still stand on its entry
		e.order = bits.Reverse64(n)
	}
	t.link(t.bucket(n), e)
	t.buckets.Store(n + 1)
}

// shrink removes the last bucket, b. One empty segment stays.
func (t *table[P, S, M]) shrink(b uint64) {
	t.buckets.Store(b)
	segments := *t.segments.Load()
	e := &segments[b/tableSegment][b%tableSegment]
	before := t.bucket(b)
	for next := before.next.Load(); next != e; next = before.next.Load() {
		before = next
	}
	before.next.Store(e.next.Load())
	if n := b/tableSegment + 2; n < uint64(len(segments)) {
		segments = append([]*[tableSegment]entry[P, S, M]{}, segments[:n]...)
		t.segments.Store(&segments)
	}
}

// all yields every cell. A cell that is there from the beginning to the end comes exactly once.
func (t *table[P, S, M]) all(yield func(*Cell[P, S, M]) bool) {
	for e := t.bucket(0); e != nil; e = e.next.Load() {
		if e.cell != nil && !yield(e.cell) {
			return
		}
	}
}
