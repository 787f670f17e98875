package actors

// patience is for how long an actor lingers unused before the actor gives up its seat to another,
// in nanoseconds.
const patience = int64(1e9)

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
	for range min(s.bounds.sampled, s.slabs[running].len()) {
		other := s.nextRunning().actor.Load()
		if since := a.seen - patience; other.lingers.Load() && other.used.Load() <= since {
			_ = other.box.TryPut(envelope[M]{order: &order{since: since, unused: a.seen - s.idleAfter.Load()}})
			break
		}
	}
	return false
}

// nextRunning goes round the slab of running actors, which is not empty. The lifecycle lock is
// held.
func (s *System[P, S, M]) nextRunning() *Cell[P, S, M] {
	if s.runningHand++; s.runningHand >= s.slabs[running].len() {
		s.runningHand = 0
	}
	return s.slabs[running].at(s.runningHand)
}

// putAside keeps the cell of a from searches if a holds the cell, and reports whether putAside did.
// An actor that ends its wait at the same time either sees aside, or is seen to work. The lifecycle
// lock is held.
func (s *System[P, S, M]) putAside(a *actor[P, S, M]) bool {
	if !a.held() {
		return false
	}
	a.aside.Store(true)
	if !a.held() {
		a.aside.Store(false)
		return false
	}
	s.move(a.cell, setAside)
	return true
}

// putBack undoes putAside.
func (s *System[P, S, M]) putBack(a *actor[P, S, M]) {
	s.lock()
	defer s.unlock()
	a.aside.Store(false)
	s.move(a.cell, running)
}
