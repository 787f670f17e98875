package actors

import (
	"context"
	"time"

	"github.com/limitpal/limitpal-go/clock"
)

// point is a place in the protocol where a test may step in; see System.hook.
type point int

const (
	afterLookup  point = iota // a sender holds a cell and perhaps the cell's actor, and has not put the message
	beforeStart               // an actor is about to be started
	beforeLeave               // an actor has nothing to wait for, or has been told to leave, and is about to try
	beforeRetire              // cells without an actor are about to be looked at for retirement
)

const (
	sweepsPerIdle = 8   // how often the supervisor looks in the time IdleAfter
	chunk         = 512 // cells that the supervisor looks at under one hold of the lifecycle lock
)

// supervise is the supervisor's goroutine: until Close the supervisor lets idle actors leave and
// forgets cells, and then stops all actors. A clock that panics ends neither the goroutine nor the
// process.
func (s *System[P, S, M]) supervise() {
	ended := false
	defer func() {
		if !ended { // runtime.Goexit was called
			s.join(s.supervise)
		}
	}()
	for !s.watch() {
	}
	ended = true
	s.stopAll()
}

// watch sweeps at intervals of the system's clock, and reports whether the system has been closed;
// false means that the clock panicked.
func (s *System[P, S, M]) watch() (closed bool) {
	every := max(s.idleAfter/sweepsPerIdle, time.Millisecond)
	defer func() {
		if _ = recover(); !closed {
			closed = s.pause(min(every, wariness))
		}
	}()
	select {
	case <-s.closing:
		return true
	default:
	}
	timer := s.clock.NewTimer(every)
	defer timer.Stop()
	due := timer.C()
	for {
		select {
		case <-s.closing:
			return true
		case <-due:
			s.sweep()
			timer.Reset(every)
		}
	}
}

// pause waits for d on another clock than the system's, and reports whether the system has been
// closed.
func (s *System[P, S, M]) pause(d time.Duration) (closed bool) {
	timer := clock.System().NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.closing:
		return true
	case <-timer.C():
		return false
	}
}

// sweep looks at every cell once, at some of them under each hold of the lifecycle lock. An actor
// that went unused for Config.Linger is told to leave. A cell without an actor that equals a new
// cell and went unused for IdleAfter is forgotten.
func (s *System[P, S, M]) sweep() {
	if s.hook != nil {
		s.hook(beforeRetire)
	}
	var idle []*actor[P, S, M]
	for ring := range s.rings {
		for from := -1; from != 0; {
			now := s.Now()
			from, idle = s.sweepSome(ring, from, now, idle[:0])
			for _, a := range idle {
				// A full mailbox means that the actor is not idle; a closed mailbox, that the actor
				// has left.
				_ = a.box.TryPut(envelope[M]{order: &order{since: now - int64(s.linger), unused: now - int64(s.idleAfter)}})
			}
		}
	}
}

// sweepSome looks at the cells of a ring below from, at all but for the last ones if from is
// negative, and returns where to go on, 0 at the end, and the actors that are idle. Downwards,
// because what leaves the ring is replaced by the last cell, and that cell has been seen.
func (s *System[P, S, M]) sweepSome(ring, from int, now int64, idle []*actor[P, S, M]) (int, []*actor[P, S, M]) {
	s.lock()
	defer s.unlock()
	r := &s.rings[ring]
	if from < 0 || from > r.len() {
		from = r.len()
	}
	down := max(0, from-chunk)
	for i := from - 1; i >= down; i-- {
		c := r.at(i)
		c.starts = 0
		if a := s.present(c); a == nil {
			s.retire(c, now, now-int64(s.idleAfter))
		} else if a.used.Load() <= now-int64(s.linger) && !a.held() {
			idle = append(idle, a)
		}
	}
	return down, idle
}

// stopAll stops every actor. No actor can start any more. The ring held comes first: a cell that
// leaves that ring meanwhile goes to another ring, and is found there.
func (s *System[P, S, M]) stopAll() {
	var actors []*actor[P, S, M]
	for _, ring := range []int{held, running} {
		for from := -1; from != 0; {
			from, actors = s.someActors(ring, from, actors[:0])
			for _, a := range actors {
				_ = a.box.Put(context.Background(), envelope[M]{order: &order{stop: true}}) // closed: the actor has left
			}
		}
	}
}

// someActors returns actors of a ring, as sweepSome does.
func (s *System[P, S, M]) someActors(ring, from int, actors []*actor[P, S, M]) (int, []*actor[P, S, M]) {
	s.lock()
	defer s.unlock()
	r := &s.rings[ring]
	if from < 0 || from > r.len() {
		from = r.len()
	}
	down := max(0, from-chunk)
	for i := from - 1; i >= down; i-- {
		if a := r.at(i).actor.Load(); a != nil {
			actors = append(actors, a)
		}
	}
	return down, actors
}
