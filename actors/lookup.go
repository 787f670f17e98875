package actors

import "hash/maphash"

// load returns the cell of key, or nil, and the hash of key. Most cells are found by the first
// look.
func (t *table[P, S, M]) load(key string) (_ *Cell[P, S, M], hash uint64) {
	if !isShort(key) {
		return t.loadOther(key)
	}
	first, last := word(key), word(key[len(key)-8:])
	hash = t.short(first, last, len(key))
	state, mask := t.state.Load(), t.mask.Load()
	index, n := hash&mask, uint64(uint32(state)) //nolint:gosec // state%oneMore, for an instruction less
	if index >= n {
		index &= mask >> 1
	}
	if segments := *t.segments.Load(); index/tableSegment < uint64(len(segments)) { // as in bucket
		b := &segments[index/tableSegment][index%tableSegment]
		if same := b.match(tagOf(hash)); same != 0 {
			if c := b.cells[slotOf(same)].Load(); c != nil && len(c.key) == len(key) &&
				word(c.key) == first && word(c.key[len(c.key)-8:]) == last {
				return c, hash
			}
		} else if b.next.Load() == nil && mask>>1 < n && n <= mask+1 && t.state.Load() == state {
			return nil, hash // mask is that of n, and nothing has moved
		}
	}
	return t.loadSlowly(key, hash), hash
}

// loadOther is load for a key that is not short.
func (t *table[P, S, M]) loadOther(key string) (_ *Cell[P, S, M], hash uint64) {
	hash = maphash.String(t.seed, key)
	state, mask := t.state.Load(), t.mask.Load()
	index := hash & mask
	if index >= state%oneMore {
		index &= mask >> 1
	}
	if b := t.bucket(index); b != nil {
		if same := b.match(tagOf(hash)); same != 0 {
			if c := b.cells[slotOf(same)].Load(); c != nil && c.key == key {
				return c, hash
			}
		}
	}
	return t.loadSlowly(key, hash), hash
}

// loadSlowly is load also for cells that are not in the first bucket, or move.
func (t *table[P, S, M]) loadSlowly(key string, hash uint64) *Cell[P, S, M] {
	for {
		state := t.state.Load()
		index, _ := indexOf(hash, state%oneMore)
		for b := t.bucket(index); b != nil; b = b.next.Load() {
			for same := b.match(tagOf(hash)); same != 0; same &= same - 1 {
				if c := b.cells[slotOf(same)].Load(); c != nil && c.key == key {
					return c
				}
			}
		}
		if t.state.Load() == state {
			return nil
		}
	}
}
