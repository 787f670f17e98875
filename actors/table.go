package actors

import (
	"math/bits"
	"slices"
	"sync/atomic"
)

const (
	tableSlots   = 6   // cells in a bucket; a bucket is one cache line
	tablePair    = 5   // cells in two buckets, on average
	tableSegment = 128 // buckets that the table takes memory for at a time
)

// table finds the cell of a key. A lookup takes no lock and writes nothing. Insertion and removal
// happen under the lifecycle lock, and take no longer if there are more keys.
//
// The table grows and shrinks by one bucket at a time (linear hashing; Litwin, 1980). A new bucket
// takes cells over from one other bucket. While state changes, such a cell is in both buckets. So a
// lookup that finds no cell, and finds state unchanged, has missed no cell.
type table[P, S, M any] struct {
	hasher
	state    atomic.Uint64 // the number of buckets, and above that the number of changes of that number
	mask     atomic.Uint64 // of the hashes, for load; a moment behind state
	segments atomic.Pointer[[]*[tableSegment]bucket[P, S, M]]
	cells    uint64 // guarded by the lifecycle lock
}

// bucket has up to six cells, and more in the buckets after it.
type bucket[P, S, M any] struct {
	tags  atomic.Uint64 // a byte for each cell: 0 if there is none, and else from the hash of its key
	cells [tableSlots]atomic.Pointer[Cell[P, S, M]]
	next  atomic.Pointer[bucket[P, S, M]]
}

const (
	lowBits  = 0x0101010101010101 // of every byte
	highBits = 0x8080808080808080
	oneMore  = 1 << 32 // of the changes in table.state
)

// init makes the table ready for use.
func (t *table[P, S, M]) init() {
	t.hasher = newHasher()
	t.segments.Store(&[]*[tableSegment]bucket[P, S, M]{new([tableSegment]bucket[P, S, M])})
	t.state.Store(1)
}

// tagOf is the tag of a hash.
func tagOf(hash uint64) uint64 { return hash>>57 | 0x80 }

// indexOf is the index of the bucket of a hash among n, and the number of low bits that all hashes
// of the bucket share.
func indexOf(hash, n uint64) (index uint64, shared int) {
	shared = bits.Len64(n - 1)
	mask := uint64(1)<<(shared%64) - 1
	if index = hash & mask; index >= n {
		return hash & (mask >> 1), shared - 1
	}
	return index, shared
}

// match has the high bit of a byte set if the tag in the byte is tag, and perhaps, by a borrow, of
// bytes above such a byte.
func (b *bucket[P, S, M]) match(tag uint64) uint64 {
	differ := b.tags.Load() ^ tag*lowBits
	return (differ - lowBits) &^ differ & highBits
}

// slotOf is the slot of the lowest byte of a match.
func slotOf(match uint64) uint { return uint(bits.TrailingZeros64(match)) / 8 } //nolint:gosec // below 64

// bucket returns a bucket, or nil if the table has just shrunk.
func (t *table[P, S, M]) bucket(index uint64) *bucket[P, S, M] {
	segments := *t.segments.Load()
	if index/tableSegment >= uint64(len(segments)) {
		return nil
	}
	return &segments[index/tableSegment][index%tableSegment]
}

// store adds c, whose key has the hash and no cell. The lifecycle lock is held.
func (t *table[P, S, M]) store(c *Cell[P, S, M], hash uint64) {
	n := t.state.Load() % oneMore
	index, _ := indexOf(hash, n)
	t.bucket(index).put(c, tagOf(hash))
	if t.cells++; 2*t.cells > tablePair*n {
		t.grow(n)
	}
}

// delete removes c. The lifecycle lock is held.
func (t *table[P, S, M]) delete(c *Cell[P, S, M]) {
	hash, n := t.hash(c.key), t.state.Load()%oneMore
	index, _ := indexOf(hash, n)
	first := t.bucket(index)
	for b := first; b != nil; b = b.next.Load() {
		for same := b.match(tagOf(hash)); same != 0; same &= same - 1 {
			if slot := slotOf(same); b.cells[slot].Load() == c {
				b.clear(slot)
			}
		}
	}
	first.trim()
	if t.cells--; n > 1 && tablePair*(n-1) > 4*t.cells {
		t.shrink(n - 1)
	}
}

// put adds c. The lifecycle lock is held.
func (b *bucket[P, S, M]) put(c *Cell[P, S, M], tag uint64) {
	for {
		tags := b.tags.Load()
		if slot := slotOf(^tags & highBits); slot < tableSlots {
			b.cells[slot].Store(c)
			b.tags.Store(tags | tag<<(8*slot)) // a lookup sees the tag first, and then the cell
			return
		}
		next := b.next.Load()
		if next == nil {
			next = new(bucket[P, S, M])
			b.next.Store(next)
		}
		b = next
	}
}

// clear empties a slot.
func (b *bucket[P, S, M]) clear(slot uint) {
	b.tags.Store(b.tags.Load() &^ (0xff << (8 * slot)))
	b.cells[slot].Store(nil)
}

// trim takes out the buckets after b that are empty.
func (b *bucket[P, S, M]) trim() {
	for next := b.next.Load(); next != nil; next = next.next.Load() {
		if next.tags.Load() == 0 {
			b.next.Store(next.next.Load())
		} else {
			b = next
		}
	}
}

// each calls f for the cells of b.
func (b *bucket[P, S, M]) each(f func(*Cell[P, S, M])) {
	for ; b != nil; b = b.next.Load() {
		for slot := range tableSlots {
			if c := b.cells[slot].Load(); c != nil {
				f(c)
			}
		}
	}
}

// grow adds a bucket to n. The lifecycle lock is held.
func (t *table[P, S, M]) grow(n uint64) {
	segments := *t.segments.Load()
	if n == tableSegment*uint64(len(segments)) {
		segments = append(segments, new([tableSegment]bucket[P, S, M])) // no reader looks beyond the length that it has loaded
		t.segments.Store(&segments)
	}
	type spot struct {
		b    *bucket[P, S, M]
		slot uint
		c    *Cell[P, S, M]
		hash uint64
	}
	var room [2 * tableSlots]spot
	spots := room[:0]
	index, _ := indexOf(n, n)
	from := t.bucket(index)
	for b := from; b != nil; b = b.next.Load() {
		for slot := range uint(tableSlots) {
			if c := b.cells[slot].Load(); c != nil {
				spots = append(spots, spot{b, slot, c, 0})
			}
		}
	}
	// The keys are in no cache. All keys are hashed before the first decision, so that the
	// processor fetches the keys side by side.
	for i := range spots {
		spots[i].hash = t.hash(spots[i].c.key)
	}
	added := t.bucket(n)
	moved := slices.DeleteFunc(spots, func(x spot) bool {
		to, _ := indexOf(x.hash, n+1)
		return to != n
	})
	for _, x := range moved {
		added.put(x.c, tagOf(x.hash))
	}
	t.state.Add(oneMore + 1)
	t.mask.Store(1<<bits.Len64(n) - 1)
	for _, x := range moved {
		x.b.clear(x.slot)
	}
	from.trim()
}

// shrink removes the last bucket, the one after n others. One segment stays empty. The lifecycle
// lock is held.
func (t *table[P, S, M]) shrink(n uint64) {
	last := t.bucket(n)
	to, _ := indexOf(n, n)
	last.each(func(c *Cell[P, S, M]) { t.bucket(to).put(c, tagOf(t.hash(c.key))) })
	t.state.Add(oneMore - 1)
	t.mask.Store(1<<bits.Len64(n-1) - 1)
	for b := last; b != nil; b = b.next.Load() {
		for slot := range uint(tableSlots) {
			b.clear(slot)
		}
	}
	last.next.Store(nil)
	segments := *t.segments.Load()
	if kept := n/tableSegment + 2; kept < uint64(len(segments)) {
		segments = append([]*[tableSegment]bucket[P, S, M]{}, segments[:kept]...)
		t.segments.Store(&segments)
	}
}

// all yields every cell. A cell that is there from the beginning to the end comes exactly once: the
// cells come in the order of their reversed hashes, in which every bucket is an interval, however
// many buckets there are.
func (t *table[P, S, M]) all(yield func(*Cell[P, S, M]) bool) {
	var cells []*Cell[P, S, M]
	for from, more := uint64(0), true; more; more = from != 0 {
		cells, from = t.some(cells[:0], from)
		for _, c := range cells {
			if !yield(c) {
				return
			}
		}
	}
}

// some appends the cells of the bucket that has the reversed hash from, from there on, and returns
// where the next bucket begins, 0 at the end.
func (t *table[P, S, M]) some(cells []*Cell[P, S, M], from uint64) ([]*Cell[P, S, M], uint64) {
	for {
		state := t.state.Load()
		index, shared := indexOf(bits.Reverse64(from), state%oneMore)
		last := bits.Reverse64(index) + 1<<(64-shared) - 1
		t.bucket(index).each(func(c *Cell[P, S, M]) {
			if order := bits.Reverse64(t.hash(c.key)); from <= order && order <= last {
				cells = append(cells, c)
			}
		})
		if t.state.Load() == state {
			return cells, last + 1
		}
		cells = cells[:0]
	}
}
