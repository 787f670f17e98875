package actors

// insert gives birth to c, whose key has the hash and no cell, at now, or at the last retirement if
// that came later: an earlier cell of the key may have been used until then. The lifecycle lock is
// held.
func (s *System[P, S, M]) insert(c *Cell[P, S, M], hash uint64, now int64) *Cell[P, S, M] {
	if !planted("a key that is born before its predecessor has gone") {
		now = max(now, s.lastRetired)
	}
	var zero S
	s.newborn = zero
	if next := s.behavior.Init(now, c.key, &c.Published, &s.newborn); !next.Clean {
		c.parked = &parked[S]{s.newborn, next.Forget, -s.idleAfter.Load()}
	}
	s.shelve(c, resting)
	s.cells.store(c, hash)
	return c
}

// forget retires c if c has no actor now.
func (s *System[P, S, M]) forget(c *Cell[P, S, M], now, unused int64) {
	s.lock()
	defer s.unlock()
	if s.present(c) == nil && !c.retired {
		s.retire(c, now, min(unused, now))
	}
}

// retire forgets c, which has no actor, if the state of c equals that of a new cell now, and no use
// came after unused. The result is whether retire did. The lifecycle lock is held.
func (s *System[P, S, M]) retire(c *Cell[P, S, M], now, unused int64) bool {
	if s.updater != nil && s.updater.Stale(now, &c.Published) {
		s.update(c, now)
	}
	if p := c.parked; p != nil && (p.forget > now && !planted("a parked state that is forgotten before its time") || p.used > unused) || !s.mayRetire(c, unused) {
		return false
	}
	if s.forgetter != nil {
		s.forgetter.Forget(now, c.key, &c.Published)
	}
	s.remove(c)
	s.evicted++
	s.lastRetired = max(s.lastRetired, now)
	return true
}

// update brings c, which has no actor, up to date. A panic leaves c as it was. The lifecycle lock is held.
func (s *System[P, S, M]) update(c *Cell[P, S, M], now int64) {
	defer func() { _ = recover() }()
	var next parked[S]
	if c.parked == nil {
		next.used = -s.idleAfter.Load()
		s.behavior.Resume(c.key, &c.Published, &next.state)
	} else {
		next = *c.parked
	}
	after := s.updater.Update(now, &c.Published, &next.state)
	if next.forget = after.Forget; after.Clean {
		c.parked = nil
	} else {
		c.parked = &next
	}
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
	s.unshelve(c)
}
