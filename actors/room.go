package actors

import (
	"context"
	"strings"
)

// maxRounds is how often a birth asks running actors to leave.
const maxRounds = 3

// Create is [System.Cell] for a key that [System.Lookup] has just not found; h is the Hash that
// Lookup returned. At the limit of keys Create makes room: Create forgets a cell that equals a new
// cell. If there is none, Create spills the coldest of some cells without an actor. If there is
// none, Create asks running actors to leave. The error is ErrKeyLimit only if every key is held.
//
// If prepare is not nil, it is called with the published part of a key that is about to be born, before
// [Behavior.Init] and under the same lock. If it returns false, no key is born, and cell and error are nil.
func (s *System[P, S, M]) Create(key string, h Hash, prepare func(*P) bool) (*Cell[P, S, M], error) {
	born := &Cell[P, S, M]{key: strings.Clone(key)} // before the lock is taken, which all births take
	now := s.Now()                                  // before the lock is taken, because a clock may panic. An earlier reading is only stricter
	for rounds := 0; ; {
		s.at(beforeBirth)
		c, found, err := s.tryCreate(born, uint64(h), now, rounds == 0, prepare)
		switch {
		case c != nil || err != nil || found.refused:
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

// tryCreate is one try of Create, under one hold of the lifecycle lock; first is that of search.
// Without a cell and without an error there was no room.
func (s *System[P, S, M]) tryCreate(
	born *Cell[P, S, M], hash uint64, now int64, first bool, prepare func(*P) bool,
) (*Cell[P, S, M], finding[P, S, M], error) {
	s.lock()
	defer s.unlock()
	if s.ended {
		return nil, finding[P, S, M]{}, ErrClosed
	}
	if c := s.cells.loadSlowly(born.key, hash); c != nil {
		return c, finding[P, S, M]{}, nil
	}
	if prepare != nil && !prepare(&born.Published) {
		return nil, finding[P, S, M]{refused: true}, nil
	}
	if s.keys() >= s.maxKeys {
		if found := s.makeRoom(now, first); !found.room {
			return nil, found, nil
		}
		if s.keys() >= s.maxKeys { // MaxKeys was more before
			s.makeRoom(now, false)
		}
	}
	return s.insert(born, hash, now), finding[P, S, M]{}, nil
}

// makeRoom searches for a cell that can go, and has it go. If none can, finding.room is false. The lifecycle
// lock is held.
func (s *System[P, S, M]) makeRoom(now int64, first bool) finding[P, S, M] {
	found := s.search(now, first)
	if c := found.coldest; c != nil {
		if s.holder != nil && !s.holder.LetGo(&c.Published) {
			found.more = true // SpillRank knows by now
			return found
		}
		if s.forgetter != nil {
			s.forgetter.Forget(now, c.key, &c.Published)
		}
		s.behavior.Spill(c.key, &c.Published, c.parkedState())
		s.remove(c)
		s.spilled++
		found.room = true
	}
	return found
}

// finding is the result of a search: one of the first four, or none of them if every key is held.
type finding[P, S, M any] struct {
	room    bool              // a cell has been forgotten
	coldest *Cell[P, S, M]    // of some without an actor, to be spilled
	leavers []*actor[P, S, M] // actors that may make room if the actors leave
	more    bool              // the search is not at its end
	refused bool              // no search: the key is not to be born

	looks    int // left
	compared int // cells without an actor that may be spilled
}

// search looks for a cell that can go. A cell that cannot go is put aside, where no search comes
// by; the next turn of the key's actor brings the cell back. So a search looks at few cells that an
// earlier search has looked at, and the cost of a search does not grow with the number of keys that
// are held.
//
// An actor that has answered is about to leave, and its cell is to be compared, too. So if there
// are few cells at rest to compare, the first search for a key returns the actors that do not
// linger in place of the coldest cell. The lifecycle lock is held.
func (s *System[P, S, M]) search(now int64, first bool) finding[P, S, M] {
	found := finding[P, S, M]{looks: s.bounds.searched}
	s.searchResting(&found, now)
	if found.room || found.coldest != nil && (found.compared >= s.bounds.compared || !first) {
		return found
	}
	s.searchRunning(&found)
	return found
}

// searchResting looks at cells without an actor. A key of rank Never that equals a new key at a
// later instant stays at rest, where a search finds the key then, unless the search has passed many
// such keys: these are put aside until a sweep finds that their instants have come.
func (s *System[P, S, M]) searchResting(found *finding[P, S, M], now int64) {
	rest := &s.slabs[resting]
	var least int64 = Never
	for passed := 0; passed < rest.len() && found.compared < s.bounds.compared && found.looks > 0; found.looks-- {
		if s.restingHand >= rest.len() {
			s.restingHand = 0
		}
		c := rest.at(s.restingHand)
		if s.retire(c, now, now) {
			*found = finding[P, S, M]{room: true}
			return
		}
		rank := s.behavior.SpillRank(&c.Published, c.parkedState())
		if rank == Never && (c.parked == nil || c.parked.forget == Never || passed-found.compared == s.bounds.searched/2) {
			s.move(c, setAside)
			found.more = true
			continue
		}
		s.restingHand++
		passed++
		if rank < Never {
			found.compared++
		}
		if rank < least {
			found.coldest, least = c, rank
		}
	}
}

// searchRunning looks at running actors. If there is a coldest cell, only actors that do not linger
// count.
func (s *System[P, S, M]) searchRunning(found *finding[P, S, M]) {
	run := &s.slabs[running]
	for left := run.len(); min(left, found.looks, run.len()) > 0 && len(found.leavers) < s.bounds.leavers; left-- {
		found.looks--
		switch a := s.present(s.nextRunning()); {
		case a == nil: // and the cell is at rest
			*found = finding[P, S, M]{more: true}
			return
		case s.putAside(a):
			s.runningHand--
			found.more = true
		case found.coldest == nil || !a.lingers.Load():
			found.leavers = append(found.leavers, a)
		}
	}
	if len(found.leavers) > 0 {
		found.coldest = nil
	}
	found.more = found.more && found.looks == 0 && len(found.leavers) == 0
}

// askToLeave tells a to leave, used or not, and waits until a has left or could not. The wait is
// short: no turn blocks, and before the order there are at most the messages whose senders came
// first. Callers share an order, since a second order in the mailbox would keep the actor from
// obeying the first.
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
