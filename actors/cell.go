package actors

import "sync/atomic"

// Cell stands for one key: the published part of the key's state, and the key's actor while an
// actor runs. A million keys have a million cells, so a cell is small: 40 bytes and P.
type Cell[P, S, M any] struct {
	// Published is the part of the state that callers may read, and perhaps move, whether an actor
	// runs or not.
	Published P

	key   string
	actor atomic.Pointer[actor[P, S, M]] // nil while no actor runs
	// Guarded by the lifecycle lock.
	parked  *parked[S] // nil if the published part says all; stale while an actor runs
	index   uint32     // in the slab
	slab    uint8      // of System.slabs
	starts  uint8      // of the key's actor since the last sweep, up to eager
	retired bool
}

// parked is the state that a key's last actor left in the cell.
type parked[S any] struct {
	state  S
	forget int64 // Next.Forget of the last turn
	used   int64 // the instant of the last turn that was a use
}

// parkedState is the state that is parked in c, or nil.
func (c *Cell[P, S, M]) parkedState() *S {
	if c.parked == nil {
		return nil
	}
	return &c.parked.state
}

// Key returns the key of the cell.
func (c *Cell[P, S, M]) Key() string { return c.key }

// The slabs of cells. Every cell that is not retired is in one of them.
const (
	resting  = iota // no actor runs
	running         // an actor runs
	setAside        // a search found that the key is held; no search looks here
	slabsOfCells
)

// shelve puts c, which is in no slab, into a slab. The lifecycle lock is held.
func (s *System[P, S, M]) shelve(c *Cell[P, S, M], slab uint8) {
	r := &s.slabs[slab]
	c.slab, c.index = slab, uint32(r.len()) //nolint:gosec // below maxKeys
	r.push(c)
}

// unshelve takes c out of its slab. The lifecycle lock is held.
func (s *System[P, S, M]) unshelve(c *Cell[P, S, M]) {
	s.slabs[c.slab].remove(int(c.index)).index = c.index
}

// move puts c into another slab. The lifecycle lock is held.
func (s *System[P, S, M]) move(c *Cell[P, S, M], slab uint8) {
	if c.slab != slab {
		s.unshelve(c)
		s.shelve(c, slab)
	}
}

// keys is the number of cells. The lifecycle lock is held.
func (s *System[P, S, M]) keys() (n int) {
	for i := range s.slabs {
		n += s.slabs[i].len()
	}
	return n
}
