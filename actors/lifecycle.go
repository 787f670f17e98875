package actors

// eager is after how many starts between two sweeps the actor of a key lingers: to start the actor
// over would cost more.
const eager = 3

// lock takes the lifecycle lock, and takes note of actors that have left.
func (s *System[P, S, M]) lock() {
	s.lifecycle.Lock()
	s.departures()
}

// unlock gives the lifecycle lock back. An actor that leaves while the lock is held does not wait,
// but leaves a note. The end of the hold takes up the note: so no note is forgotten.
func (s *System[P, S, M]) unlock() {
	s.lifecycle.Unlock()
	s.tidy()
}

// tidy takes note of actors that have left, unless the lock is held: then the holder does.
func (s *System[P, S, M]) tidy() {
	for s.departed.Load() != nil && s.lifecycle.TryLock() {
		s.departures()
		s.lifecycle.Unlock()
	}
}

// departures takes note of some of the actors that have left. The lifecycle lock is held.
func (s *System[P, S, M]) departures() {
	for range s.bounds.chunk {
		a := s.departed.Load()
		if a == nil {
			return
		}
		if !s.departed.CompareAndSwap(a, a.departedBefore) {
			continue
		}
		if a.departedBefore = nil; a.cell.actor.Load() == a {
			s.depart(a)
		}
	}
}

// present returns the running actor of c, or nil. The lifecycle lock is held.
func (s *System[P, S, M]) present(c *Cell[P, S, M]) *actor[P, S, M] {
	a := c.actor.Load()
	if a != nil && a.box.Closed() && !s.ended { // a has left and no note says so yet; at the end of the system, a may be stopping
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

// leave closes a's mailbox if no message is in the mailbox or on its way, and reports whether a is
// gone. An actor that wants to linger stays if there is a seat. leave does not wait for the
// lifecycle lock; see unlock. Once the mailbox is closed, a's state belongs to the holder of that
// lock.
func (s *System[P, S, M]) leave(a *actor[P, S, M], linger bool) bool {
	s.at(beforeLeave)
	if linger && s.seat(a) {
		return false
	}
	if !a.box.CloseIfEmpty() && !planted("an actor that leaves its messages behind") {
		return false
	}
	s.at(beforeNote)
	for {
		a.departedBefore = s.departed.Load()
		if s.departed.CompareAndSwap(a.departedBefore, a) {
			s.at(beforeTidy)
			s.tidy()
			return true
		}
	}
}

// stopped takes note that a has stopped for good.
func (s *System[P, S, M]) stopped(a *actor[P, S, M]) {
	s.lock()
	defer s.unlock()
	s.depart(a)
}

// depart parks a's state in a's cell, for the next actor. The lifecycle lock is held.
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
