package actors

// What is done for a key that is born when there are as many as there may be.
const (
	searched   = 256 // cells looked at for one that can go
	compared   = 16  // of which so many without an actor are compared for the one to spill
	maxLeavers = 8   // and so many running actors are asked to leave
)

// create returns the cell of key, which had none a moment ago. At the limit of keys it makes room: first by a cell that equals a
// new one, also if its actor has to leave before; then by spilling one without an actor; then by having actors leave for that.
func (s *System[P, S, M]) create(key string) (*Cell[P, S, M], error) {
	for tries := 2; ; tries-- {
		c, leavers, err := s.tryCreate(key, tries > 0)
		if len(leavers) == 0 {
			return c, err
		}
		for _, a := range leavers {
			s.askToLeave(a)
		}
	}
}

// tryCreate is one try of create. With ErrKeyLimit come running actors that may be able to make room if they leave, if those are
// wanted.
func (s *System[P, S, M]) tryCreate(key string, wanted bool) (*Cell[P, S, M], []*actor[P, S, M], error) {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if s.ended {
		return nil, nil, ErrClosed
	}
	if c, ok := s.cells.Load(key); ok {
		return c, nil, nil
	}
	if s.ring.len() < s.maxKeys {
		return s.insert(key), nil, nil
	}
	from := s.hand
	coldest, asNew, others, room := s.search()
	switch {
	case room:
	case wanted && len(asNew) > 0:
		return nil, asNew, ErrKeyLimit
	case coldest != nil:
		s.behavior.Spill(coldest.key, &coldest.Published, coldest.left())
		s.remove(coldest)
		s.spilled++
	case wanted && len(others) > 0:
		s.hand = from // to come by them again when they have left
		return nil, others, ErrKeyLimit
	default:
		return nil, nil, ErrKeyLimit
	}
	return s.insert(key), nil, nil
}

// search goes round the ring for a cell that equals a new one, and forgets the first that it finds: then there is room. If it finds
// none it returns the coldest of those without an actor; actors that seem to be as new; and others, those that owe something only if
// there are none else: they may just be about to hear that they do not. The lifecycle lock is held.
func (s *System[P, S, M]) search() (coldest *Cell[P, S, M], asNew, others []*actor[P, S, M], room bool) {
	now := s.now()
	var least int64 = Never
	var owing []*actor[P, S, M]
	seen := 0
	for range min(searched, s.ring.len()) {
		if s.hand++; s.hand >= s.ring.len() {
			s.hand = 0
		}
		c := s.ring.at(s.hand)
		if a := c.actor.Load(); a != nil {
			switch forget := a.forget.Load(); {
			case forget <= now:
				asNew = join(asNew, a)
			case forget != Never:
				others = join(others, a)
			default:
				owing = join(owing, a)
			}
			continue
		}
		if s.retire(c, now, now) {
			return nil, nil, nil, true
		}
		if heat := s.behavior.Heat(&c.Published, c.left()); heat < least {
			coldest, least = c, heat
		}
		if seen++; seen >= compared && coldest != nil {
			break
		}
	}
	if len(others) == 0 {
		others = owing
	}
	return coldest, asNew, others, false
}

// join adds a to those that may be asked to leave, if they are not too many already.
func join[A any](leavers []A, a A) []A {
	if len(leavers) == maxLeavers {
		return leavers
	}
	return append(leavers, a)
}

// askToLeave tells a to leave, used or not, and waits until it has or could not.
func (s *System[P, S, M]) askToLeave(a *actor[P, S, M]) {
	o := &order{since: Never, unused: Never, done: make(chan struct{})}
	if a.box.TryPut(envelope[M]{order: o}) == nil {
		<-o.done // the turn it is in never blocks, and what is queued before the order is at most a mailbox full
	}
}
