package actors

const (
	eager    = 3          // starts between two sweeps after which the actor of a key had better linger: starting over costs more
	patience = int64(1e9) // ns; an actor that lingers unused for so long gives up its seat to another
)

// insert gives birth to c, whose key has the hash and no cell, at now, or at the last retirement if that came
// later: an earlier cell of the key may have been used until then. The lifecycle lock is held.
func (s *System[P, S, M]) insert(c *Cell[P, S, M], hash uint64, now int64) *Cell[P, S, M] {
	now = max(now, s.retired)
	var zero S
	s.newborn = zero
	if next := s.behavior.Init(now, c.key, &c.Published, &s.newborn); !next.Clean {
		c.parked = &parked[S]{s.newborn, next.Forget, -int64(s.idleAfter)}
	}
	s.place(c, resting)
	s.cells.store(c, hash)
	return c
}

// lock takes the lifecycle lock, and takes note of actors that have left.
func (s *System[P, S, M]) lock() {
	s.lifecycle.Lock()
	s.departures()
}

// unlock gives the lifecycle lock back. An actor that leaves while the lock is held leaves a note
// instead of waiting, and here is the end of the hold: so no note is forgotten, and no goroutine
// stays for want of the lock.
func (s *System[P, S, M]) unlock() {
	s.lifecycle.Unlock()
	s.tidy()
}

// tidy takes note of actors that have left, unless another goroutine is about to.
func (s *System[P, S, M]) tidy() {
	for s.left.Load() != nil && s.lifecycle.TryLock() {
		s.departures()
		s.lifecycle.Unlock()
	}
}

// departures takes note of some of the actors that have left. The lifecycle lock is held.
func (s *System[P, S, M]) departures() {
	for range s.bounds.chunk {
		a := s.left.Load()
		if a == nil {
			return
		}
		if !s.left.CompareAndSwap(a, a.leftBefore) {
			continue
		}
		if a.leftBefore = nil; a.cell.actor.Load() == a {
			s.depart(a)
		}
	}
}

// present returns the running actor of c, or nil. The lifecycle lock is held.
func (s *System[P, S, M]) present(c *Cell[P, S, M]) *actor[P, S, M] {
	a := c.actor.Load()
	if a != nil && a.box.Closed() && !s.ended { // the actor has just left; at the end of the system, it may be at it
		s.depart(a)
		return nil
	}
	return a
}

// start returns the running actor of c, and starts an actor if none runs.
func (s *System[P, S, M]) start(c *Cell[P, S, M]) (*actor[P, S, M], error) {
	s.at(beforeStart)
	a := s.newActor(c) // before the lock is taken, because making an actor takes longer than the rest
	s.lock()
	defer s.unlock()
	switch {
	case s.ended:
		return nil, ErrClosed
	case c.retired:
		return nil, ErrRetired
	}
	if a := s.present(c); a != nil {
		return a, nil
	}
	a.next = Next{Wake: Never, Clean: c.parked == nil}
	if c.parked == nil {
		s.behavior.Resume(c.key, &c.Published, &a.state)
	} else {
		a.state, a.next.Forget = c.parked.state, c.parked.forget
		a.used.Store(c.parked.used)
	}
	a.good = a.state
	if a.hot = c.starts == eager; !a.hot {
		c.starts++
	}
	c.actor.Store(a)
	s.move(c, running)
	s.actors++
	if s.driver != nil {
		s.drive(&steppedActor[P, S, M]{actor: a})
		return a, nil
	}
	s.join(a.run) // leaves when nothing is to come, or at Close; the supervisor keeps the group from being empty before that
	return a, nil
}

// leave ends a's mailbox if nothing is in the mailbox or on its way, and reports whether the actor
// is gone. An actor that wants to linger stays if there is a seat. The actor does not wait for the
// lifecycle lock; see unlock. After leave has ended the mailbox, the state belongs to the holder of
// that lock.
func (s *System[P, S, M]) leave(a *actor[P, S, M], linger bool) bool {
	s.at(beforeLeave)
	if linger && s.seat(a) {
		return false
	}
	if !a.box.CloseIfEmpty() {
		return false
	}
	s.at(beforeNote)
	for {
		a.leftBefore = s.left.Load()
		if s.left.CompareAndSwap(a.leftBefore, a) {
			s.at(beforeTidy)
			s.tidy()
			return true
		}
	}
}

// seat has a linger if fewer actors than seats do. Otherwise seat asks an actor that has lingered
// unused to leave, so that there is a seat the next time.
func (s *System[P, S, M]) seat(a *actor[P, S, M]) bool {
	if s.lingering.Add(1) <= s.bounds.seats {
		a.lingers.Store(true)
		return true
	}
	s.lingering.Add(-1)
	if !s.lifecycle.TryLock() {
		return false
	}
	defer s.unlock()
	for range min(s.bounds.sampled, s.rings[running].len()) {
		other := s.nextRunning().actor.Load()
		if since := a.seen - patience; other.lingers.Load() && other.used.Load() <= since {
			_ = other.box.TryPut(envelope[M]{order: &order{since: since, unused: a.seen - int64(s.idleAfter)}})
			break
		}
	}
	return false
}

// nextRunning goes round the ring of running actors, which is not empty. The lifecycle lock is
// held.
func (s *System[P, S, M]) nextRunning() *Cell[P, S, M] {
	if s.turn++; s.turn >= s.rings[running].len() {
		s.turn = 0
	}
	return s.rings[running].at(s.turn)
}

// stopped takes note that a has stopped for good.
func (s *System[P, S, M]) stopped(a *actor[P, S, M]) {
	s.lock()
	defer s.unlock()
	s.depart(a)
}

// depart leaves in a's cell all that the next actor has to find there. The lifecycle lock is held.
func (s *System[P, S, M]) depart(a *actor[P, S, M]) {
	c := a.cell
	switch {
	case a.next.Clean:
		c.parked = nil
	case c.parked == nil:
		c.parked = &parked[S]{a.state, a.next.Forget, a.used.Load()}
	default:
		*c.parked = parked[S]{a.state, a.next.Forget, a.used.Load()}
	}
	c.actor.Store(nil)
	s.move(c, resting)
	s.actors--
	if a.lingers.Load() {
		s.lingering.Add(-1)
	}
}

// putAside keeps the cell of a from being found by searches, if a holds the cell, and reports
// whether putAside did. An actor that ends its wait at the same time either sees aside, or is seen.
// The lifecycle lock is held.
func (s *System[P, S, M]) putAside(a *actor[P, S, M]) bool {
	if !a.held() {
		return false
	}
	a.aside.Store(true)
	if !a.held() {
		a.aside.Store(false)
		return false
	}
	s.move(a.cell, held)
	return true
}

// putBack undoes putAside.
func (s *System[P, S, M]) putBack(a *actor[P, S, M]) {
	s.lock()
	defer s.unlock()
	a.aside.Store(false)
	s.move(a.cell, running)
}

// forget retires c if c has no actor now.
func (s *System[P, S, M]) forget(c *Cell[P, S, M], now, unused int64) {
	s.lock()
	defer s.unlock()
	if s.present(c) == nil && !c.retired {
		s.retire(c, now, min(unused, now))
	}
}

// retire forgets c, which has no actor, if the state of c equals that of a new actor now, and no
// use came after unused. The result is whether retire did. The lifecycle lock is held.
func (s *System[P, S, M]) retire(c *Cell[P, S, M], now, unused int64) bool {
	if p := c.parked; p != nil && (p.forget > now || p.used > unused) || !s.mayRetire(c, unused) {
		return false
	}
	s.remove(c)
	s.evicted++
	s.retired = max(s.retired, now)
	return true
}

// mayRetire asks the behavior. A panic must neither take the process down nor end the actor that is
// leaving.
func (s *System[P, S, M]) mayRetire(c *Cell[P, S, M], unused int64) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return s.behavior.Retire(unused, &c.Published)
}

// remove takes c out of the system. The lifecycle lock is held.
func (s *System[P, S, M]) remove(c *Cell[P, S, M]) {
	c.retired = true
	c.parked = nil
	s.cells.delete(c)
	s.displace(c)
}
