package actors

import (
	"context"

	"github.com/limitpal/limitpal-go/mailbox"
)

// walk goes over the cells of some slabs, a few under each hold of the lifecycle lock.
type walk[P, S, M any] struct {
	sys   *System[P, S, M]
	slabs []int             // still to go over
	from  int               // the cells of the first of slabs from this index on are done; negative: none is done
	found []*actor[P, S, M] // by the last part
}

// next calls visit for the next cells, under the lifecycle lock. The walk goes downwards: a cell
// that leaves the slab is replaced by the last cell, and the walk has visited that cell before.
func (w *walk[P, S, M]) next(visit func(*Cell[P, S, M])) {
	w.sys.lock()
	defer w.sys.unlock()
	r := &w.sys.slabs[w.slabs[0]]
	if w.from < 0 || w.from > r.len() {
		w.from = r.len()
	}
	down := max(0, w.from-w.sys.bounds.chunk)
	for i := w.from - 1; i >= down; i-- {
		visit(r.at(i))
	}
	if w.from = down; down == 0 {
		w.slabs, w.from = w.slabs[1:], -1
	}
}

// newSweep begins a sweep: a look at every cell.
func (s *System[P, S, M]) newSweep() *walk[P, S, M] {
	s.at(beforeSweep)
	return &walk[P, S, M]{sys: s, slabs: []int{resting, running, setAside}, from: -1}
}

// sweepNext is a part of a sweep, and reports whether the sweep is at its end. An actor that went
// unused for Config.Linger is told to leave. A cell without an actor that equals a new cell and
// went unused for IdleAfter is forgotten.
func (s *System[P, S, M]) sweepNext(w *walk[P, S, M]) (done bool) {
	now := s.Now()
	w.next(func(c *Cell[P, S, M]) {
		c.starts = 0
		if a := s.present(c); a == nil {
			if !s.retire(c, now, now-s.idleAfter.Load()) && c.parked != nil && c.parked.forget <= now {
				s.move(c, resting) // where a search may forget the cell
			}
		} else if a.used.Load() <= now-s.linger.Load() && !a.held() {
			w.found = append(w.found, a)
		}
	})
	s.at(beforeOrder)
	for _, a := range w.found {
		// A full mailbox means that the actor is not idle; a closed mailbox, that the actor has
		// left.
		_ = a.box.TryPut(envelope[M]{order: &order{since: now - s.linger.Load(), unused: now - s.idleAfter.Load()}})
	}
	w.found = w.found[:0]
	return len(w.slabs) == 0
}

// newStop begins the stop of every actor. No actor can start any more. The cells that are set aside
// come first: a cell that is put back meanwhile is found among the running.
func (s *System[P, S, M]) newStop() *walk[P, S, M] {
	return &walk[P, S, M]{sys: s, slabs: []int{setAside, running}, from: -1}
}

// stopNext tells the next actor to stop, or looks for more actors, and reports whether every actor
// has been told. Under a Driver, an actor whose mailbox is full is told in a later step.
func (s *System[P, S, M]) stopNext(w *walk[P, S, M]) (done bool) {
	last := len(w.found) - 1
	if last < 0 {
		if len(w.slabs) == 0 {
			return true
		}
		w.next(func(c *Cell[P, S, M]) {
			if a := c.actor.Load(); a != nil {
				w.found = append(w.found, a)
			}
		})
		return false
	}
	stop := envelope[M]{order: &order{stop: true}}
	if s.driver == nil {
		_ = w.found[last].box.Put(context.Background(), stop) // closed: the actor has left
	} else if w.found[last].box.TryPut(stop) == mailbox.ErrFull { //nolint:errorlint // TryPut returns the error itself
		return false
	}
	w.found = w.found[:last]
	return false
}
