package actors

import (
	"context"
	"strings"
)

// maxRounds is how often a birth asks running actors to leave.
const maxRounds = 3

// Create is [System.Cell] for a key that [System.Lookup] has just not found; h is the Hash that Lookup
// returned. At the limit of keys Create makes room: by forgetting a cell that equals a new cell, or else by spilling the coldest of some cells
// without an actor, or else by asking running actors to leave for that. The error is ErrKeyLimit
// only if every key is held.
func (s *System[P, S, M]) Create(key string, h Hash) (*Cell[P, S, M], error) {
	born := &Cell[P, S, M]{key: strings.Clone(key)} // before the lock is taken, which all births take
	now := s.Now()                                  // before the lock is taken, because a clock may panic. An earlier reading is only stricter
	for rounds := 0; ; {
		s.at(beforeBirth)
		c, found, err := s.tryCreate(born, uint64(h), now, rounds == 0)
		switch {
		case c != nil || err != nil:
			return c, err
		case found.more: // cells have been put aside, or come to rest
		case len(found.leavers) == 0 || rounds == maxRounds:
			return nil, ErrKeyLimit
		default:
			rounds++
			for _, a := range found.leavers {
				s.askToLeave(a)
			}
		}
	}
}

// tryCreate is one try of Create, under one hold of the lifecycle lock; first is that of search. Without
// a cell and without an error there was no room.
func (s *System[P, S, M]) tryCreate(born *Cell[P, S, M], hash uint64, now int64, first bool) (*Cell[P, S, M], finding[P, S, M], error) {
	s.lock()
	defer s.unlock()
	if s.ended {
		return nil, finding[P, S, M]{}, ErrClosed
	}
	if c := s.cells.loadSlowly(born.key, hash); c != nil {
		return c, finding[P, S, M]{}, nil
	}
	if s.keys() >= s.maxKeys {
		found := s.search(now, first)
		if !found.room && found.coldest == nil {
			return nil, found, nil
		}
		if c := found.coldest; c != nil {
			s.behavior.Spill(c.key, &c.Published, c.left())
			s.remove(c)
			s.spilled++
		}
	}
	return s.insert(born, hash, now), finding[P, S, M]{}, nil
}

// finding is the result of a search: one of the four, or nothing if every key is held.
type finding[P, S, M any] struct {
	room    bool              // a cell has been forgotten
	coldest *Cell[P, S, M]    // of some without an actor, to be spilled
	leavers []*actor[P, S, M] // actors that may make room if they leave
	more    bool              // the search is not at its end
}

// search looks for a cell that can go. A cell that cannot go is put aside, into the ring held,
// where no search comes by; the next turn of the key's actor brings the cell back. So a search
// looks at few cells that an earlier search has looked at, and the cost of a search does not grow
// with the number of keys that are held. If there are few cells at rest to compare, the first search
// for a key returns the actors that do not linger in place of the coldest cell: such an actor has
// answered and is about to leave, and its cell is to be compared, too. The lifecycle lock is held.
func (s *System[P, S, M]) search(now int64, first bool) (found finding[P, S, M]) {
	left := s.bounds.searched
	var least int64 = Never
	rest := &s.rings[resting]
	passed, seen := 0, 0
	for ; passed < rest.len() && seen < s.bounds.compared && left > 0; left-- {
		if s.hand >= rest.len() {
			s.hand = 0
		}
		c := rest.at(s.hand)
		if s.retire(c, now, now) {
			return finding[P, S, M]{room: true}
		}
		rank := s.behavior.SpillRank(&c.Published, c.left())
		if rank == Never && (c.parked == nil || c.parked.forget == Never || passed-seen == s.bounds.searched/2) {
			s.move(c, held)
			found.more = true
			continue
		}
		s.hand++
		passed++
		if rank < Never {
			seen++
		}
		if rank < least {
			found.coldest, least = c, rank
		}
	}
	if found.coldest != nil && (seen >= s.bounds.compared || !first) {
		return found
	}
	run := &s.rings[running]
	for looks := run.len(); min(looks, left, run.len()) > 0 && len(found.leavers) < s.bounds.leavers; left, looks = left-1, looks-1 {
		switch a := s.present(s.nextRunning()); {
		case a == nil: // and the cell is at rest
			return finding[P, S, M]{more: true}
		case s.putAside(a):
			s.turn--
			found.more = true
		case found.coldest == nil || !a.lingers.Load():
			found.leavers = append(found.leavers, a)
		}
	}
	if len(found.leavers) > 0 {
		found.coldest = nil
	}
	found.more = found.more && left == 0 && len(found.leavers) == 0
	return found
}

// askToLeave tells a to leave, used or not, and waits until a has left or could not. The wait is short:
// no turn blocks, and before the order there are at most the messages whose senders came first. Callers
// share an order, since a second order in the mailbox would keep the actor from obeying the first.
func (s *System[P, S, M]) askToLeave(a *actor[P, S, M]) {
	o := &order{since: Never, unused: Never, done: make(chan struct{})}
	for !a.asked.CompareAndSwap(nil, o) {
		if other := a.asked.Load(); other != nil {
			s.wait(other.done)
			return
		}
	}
	if a.box.Put(context.Background(), envelope[M]{order: o}) != nil { // a has left
		close(o.done)
		return
	}
	s.wait(o.done)
}
