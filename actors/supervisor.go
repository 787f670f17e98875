package actors

import (
	"context"
	"time"

	"github.com/limitpal/limitpal-go/mailbox"
)

// point is a place in the protocol where a test may step in; see System.hook.
type point int

const (
	afterLookup  point = iota // a sender holds a cell and perhaps its actor, and has not put its message
	beforeStart               // an actor is about to be started
	beforeLeave               // an actor has been told to leave and is about to try
	beforeRetire              // a cell without an actor is about to be looked at for retirement
)

const (
	sweepsPerIdle = 8   // how often the supervisor looks in the time IdleAfter
	chunk         = 512 // cells it looks at under one hold of the lifecycle lock
	eager         = 3   // starts between two sweeps before an actor lingers although its key is clean: starting it over costs more
)

// supervise is the supervisor's goroutine: it lets idle actors leave and forgets cells, until Close, when it stops all.
func (s *System[P, S, M]) supervise() {
	every := max(s.idleAfter/sweepsPerIdle, time.Millisecond)
	timer := s.clock.NewTimer(every)
	defer timer.Stop()
	for {
		select {
		case <-s.closing:
			s.stopAll()
			return
		case <-timer.C():
			s.sweep()
			timer.Reset(every)
		}
	}
}

// sweep looks at every cell once: a running actor that went unused for Config.Linger is told to leave, a cell at rest that
// equals a new one and went unused for IdleAfter is forgotten.
func (s *System[P, S, M]) sweep() {
	if s.hook != nil {
		s.hook(beforeRetire)
	}
	var idle []*actor[P, S, M]
	for from := -1; from != 0; {
		now := s.now()
		s.lifecycle.Lock()
		if from < 0 || from > s.ring.len() {
			from = s.ring.len()
		}
		// Downwards: retiring moves the last cell of the ring into the gap, and that one has been seen.
		down := max(0, from-chunk)
		for i := from - 1; i >= down; i-- {
			c := s.ring.at(i)
			c.starts = 0
			if a := c.actor.Load(); a == nil {
				s.retire(c, now, now-int64(s.idleAfter))
			} else if now-a.used.Load() >= int64(s.linger) {
				idle = append(idle, a)
			}
		}
		from = down
		s.lifecycle.Unlock()
		for _, a := range idle {
			// A full mailbox means that the actor is not idle; a closed one, that it has left.
			_ = a.box.TryPut(envelope[M]{order: &order{since: now - int64(s.linger), unused: now - int64(s.idleAfter)}})
		}
		idle = idle[:0]
	}
}

// start returns the running actor of c, and starts one if there is none.
func (s *System[P, S, M]) start(c *Cell[P, S, M]) (*actor[P, S, M], error) {
	if s.hook != nil {
		s.hook(beforeStart)
	}
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	switch {
	case s.ended:
		return nil, ErrClosed
	case c.retired:
		return nil, ErrRetired
	}
	if a := c.actor.Load(); a != nil {
		return a, nil
	}
	a := &actor[P, S, M]{
		sys:      s,
		cell:     c,
		box:      mailbox.New[envelope[M]](s.mailbox),
		next:     Next{Wake: Never, Clean: c.rest == nil},
		armedFor: Never,
		eager:    c.starts < eager,
	}
	if a.eager {
		c.starts++
	}
	if c.rest == nil {
		s.behavior.Resume(c.key, &c.Published, &a.state)
	} else {
		a.state, a.next.Forget = c.rest.state, c.rest.forget
	}
	a.forget.Store(a.next.Forget)
	// An actor that is started only to be asked something has not been used for as long as can be.
	a.used.Store(s.now() - int64(s.idleAfter))
	c.actor.Store(a)
	s.running.Add(1)
	s.join(a.run) // leaves when it is idle, or at Close; the supervisor keeps the group from being empty before that
	return a, nil
}

// leave ends a's mailbox if nothing is in it or on its way, and reports whether the actor is gone.
func (s *System[P, S, M]) leave(a *actor[P, S, M]) bool {
	if s.hook != nil {
		s.hook(beforeLeave)
	}
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if !a.box.CloseIfEmpty() {
		return false
	}
	s.depart(a)
	return true
}

// stopped takes note that a has stopped for good.
func (s *System[P, S, M]) stopped(a *actor[P, S, M]) {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	s.depart(a)
}

// depart leaves in a's cell what the next actor has to find there. The lifecycle lock is held.
func (s *System[P, S, M]) depart(a *actor[P, S, M]) {
	c := a.cell
	switch {
	case a.next.Clean:
		c.rest = nil
	case c.rest == nil:
		c.rest = &rest[S]{a.state, a.next.Forget}
	default:
		*c.rest = rest[S]{a.state, a.next.Forget}
	}
	c.actor.Store(nil)
	s.running.Add(-1)
}

// forget retires c if it has no actor now.
func (s *System[P, S, M]) forget(c *Cell[P, S, M], unused int64) {
	now := s.now()
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if c.actor.Load() == nil && !c.retired {
		s.retire(c, now, min(unused, now))
	}
}

// retire forgets c, which has no actor, if its state equals that of a new actor now, and its published part says that it was not
// used after unused. It reports whether it did. The lifecycle lock is held.
func (s *System[P, S, M]) retire(c *Cell[P, S, M], now, unused int64) bool {
	if c.rest != nil && c.rest.forget > now || !s.mayRetire(c, unused) {
		return false
	}
	s.remove(c)
	s.evicted++
	return true
}

// remove takes c out of the system. The lifecycle lock is held.
func (s *System[P, S, M]) remove(c *Cell[P, S, M]) {
	c.retired = true
	c.rest = nil
	s.cells.Delete(c.key)
	s.ring.remove(int(c.index)).index = c.index
}

// mayRetire asks the behavior; a panic must not take the process down, nor the actor that is leaving.
func (s *System[P, S, M]) mayRetire(c *Cell[P, S, M], unused int64) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return s.behavior.Retire(unused, &c.Published)
}

// stopAll stops every actor. No new one can start any more.
func (s *System[P, S, M]) stopAll() {
	var actors []*actor[P, S, M]
	s.lifecycle.Lock()
	for i := range s.ring.len() {
		if a := s.ring.at(i).actor.Load(); a != nil {
			actors = append(actors, a)
		}
	}
	s.lifecycle.Unlock()
	for _, a := range actors {
		_ = a.box.Put(context.Background(), envelope[M]{order: &order{stop: true}}) // closed: it has left by itself
	}
}
