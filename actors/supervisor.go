package actors

import (
	"context"
	"time"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/mailbox"
)

// point is a place in the protocol where a test may step in; see System.hook.
type point int

const (
	afterLookup  point = iota // a sender holds a cell and perhaps the cell's actor, and has not put the message
	beforeStart               // an actor is about to be started
	beforeLeave               // an actor has nothing to wait for, or has been told to leave, and is about to try
	beforeRetire              // cells without an actor are about to be looked at for retirement
	beforeBirth               // the cell of a key is about to be born
	beforeOrder               // the supervisor has found actors idle, and has not told them to leave
	beforeNote                // an actor has closed its mailbox, and no note says so
	beforeTidy                // a note says that an actor has left, and its cell does not know
	beforeForget              // an actor has left by an order, and the cell is about to be looked at for retirement
	afterWait                 // an actor works, and has not looked whether its cell was put aside
)

// sweepsPerIdle is how often the supervisor looks in the time IdleAfter.
const sweepsPerIdle = 8

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

// every is the time between two sweeps.
func (s *System[P, S, M]) every() time.Duration {
	return max(s.idleAfter/sweepsPerIdle, time.Millisecond)
}

// watch sweeps at intervals of the system's clock, and reports whether the system has been closed;
// false means that the clock panicked.
func (s *System[P, S, M]) watch() (closed bool) {
	every := s.every()
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

// sweep looks at every cell once, at some of them under each hold of the lifecycle lock.
func (s *System[P, S, M]) sweep() {
	for w := s.newSweep(); !s.sweepNext(w); {
	}
}

// newSweep begins a sweep.
func (s *System[P, S, M]) newSweep() *walk[P, S, M] {
	s.at(beforeRetire)
	return s.walk(resting, running, held)
}

// sweepNext is a part of a sweep, and reports whether the sweep is at its end. An actor that went
// unused for Config.Linger is told to leave. A cell without an actor that equals a new cell and went
// unused for IdleAfter is forgotten.
func (s *System[P, S, M]) sweepNext(w *walk[P, S, M]) (done bool) {
	now := s.Now()
	w.next(func(c *Cell[P, S, M]) {
		c.starts = 0
		if a := s.present(c); a == nil {
			if !s.retire(c, now, now-int64(s.idleAfter)) && c.parked != nil && c.parked.forget <= now {
				s.move(c, resting) // a search may forget the cell
			}
		} else if a.used.Load() <= now-int64(s.linger) && !a.held() {
			w.found = append(w.found, a)
		}
	})
	s.at(beforeOrder)
	for _, a := range w.found {
		// A full mailbox means that the actor is not idle; a closed mailbox, that the actor has left.
		_ = a.box.TryPut(envelope[M]{order: &order{since: now - int64(s.linger), unused: now - int64(s.idleAfter)}})
	}
	w.found = w.found[:0]
	return len(w.slabs) == 0
}

// stopAll stops every actor. No actor can start any more. The ring held comes first: a cell that
// leaves that ring meanwhile goes to another ring, and is found there.
func (s *System[P, S, M]) stopAll() {
	for w := s.walk(held, running); !s.stopNext(w); {
	}
}

// stopNext is a part of stopAll, and reports whether every actor has been told to stop. Under a
// Driver, an actor whose mailbox is full is told in a later step.
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

// walk goes over the cells of some rings, a few under each hold of the lifecycle lock.
type walk[P, S, M any] struct {
	sys   *System[P, S, M]
	slabs []int             // still to go over
	from  int               // the cells of the first of slabs from this index on are done; negative: none is done
	found []*actor[P, S, M] // by the last part
}

func (s *System[P, S, M]) walk(rings ...int) *walk[P, S, M] {
	return &walk[P, S, M]{sys: s, slabs: rings, from: -1}
}

// next calls visit for the next cells, under the lifecycle lock. The walk goes downwards: a cell that
// leaves the ring is replaced by the last cell, and that cell has been visited.
func (w *walk[P, S, M]) next(visit func(*Cell[P, S, M])) {
	w.sys.lock()
	defer w.sys.unlock()
	r := &w.sys.rings[w.slabs[0]]
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
