package actors

import (
	"time"

	"github.com/limitpal/limitpal-go/clock"
)

// sweepsPerIdle is how often the supervisor looks in the time IdleAfter.
const sweepsPerIdle = 8

// every is the time between two sweeps.
func (s *System[P, S, M]) every() time.Duration {
	return max(time.Duration(s.idleAfter.Load())/sweepsPerIdle, time.Millisecond)
}

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
	for w := s.newStop(); !s.stopNext(w); {
	}
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
			for w := s.newSweep(); !s.sweepNext(w); {
			}
			timer.Reset(s.every())
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
