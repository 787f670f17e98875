package actors

import "sync/atomic"

// Cell is the place of one key: the published part of the key's state, and the key's actor while an
// actor runs. A million keys have a million cells, so a cell is small: 40 bytes and P.
type Cell[P, S, M any] struct {
	// Published is the part of the state that callers may read, and perhaps move, whether an actor
	// runs or not.
	Published P

	key   string
	actor atomic.Pointer[actor[P, S, M]] // nil while no goroutine runs
	// Guarded by the lifecycle lock.
	parked  *parked[S] // what the last actor left behind; nil when the published part says it all
	index   uint32     // in the ring
	ring    uint8      // of System.rings
	starts  uint8      // of the key's actor since the last sweep, up to eager
	retired bool
}

// parked is the state of a key between two actors.
type parked[S any] struct {
	state  S
	forget int64 // Next.Forget of the last turn
	used   int64 // the instant of the last turn that was a use
}

// left is the state that the last actor left behind, or nil.
func (c *Cell[P, S, M]) left() *S {
	if c.parked == nil {
		return nil
	}
	return &c.parked.state
}

// Key returns the key of the cell.
func (c *Cell[P, S, M]) Key() string { return c.key }

// The rings of cells. Every cell is in one of them.
const (
	resting = iota // no actor runs
	running        // an actor runs
	held           // a search found that the key can neither be forgotten nor spilled; no search looks here
	ringsOfCells
)

// place puts c, which is in no ring, into a ring. The lifecycle lock is held.
func (s *System[P, S, M]) place(c *Cell[P, S, M], ring uint8) {
	r := &s.rings[ring]
	c.ring, c.index = ring, uint32(r.len()) //nolint:gosec // below maxKeys
	r.push(c)
}

// displace takes c out of its ring. The lifecycle lock is held.
func (s *System[P, S, M]) displace(c *Cell[P, S, M]) {
	s.rings[c.ring].remove(int(c.index)).index = c.index
}

// move puts c into another ring. The lifecycle lock is held.
func (s *System[P, S, M]) move(c *Cell[P, S, M], ring uint8) {
	if c.ring != ring {
		s.displace(c)
		s.place(c, ring)
	}
}

// keys is the number of cells. The lifecycle lock is held.
func (s *System[P, S, M]) keys() (n int) {
	for i := range s.rings {
		n += s.rings[i].len()
	}
	return n
}
