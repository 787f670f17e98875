package actors

// Driver takes the place of the goroutines of a [System], for simulations: one goroutine, or one
// coroutine at a time, runs everything in an order of the driver's choice. The methods of the System
// then never block and never start a goroutine. A driver may run actors and callers in the midst of
// a call, in Between, in Wait, and in the methods of Config.Clock. No lock is held there. The
// methods of a driver must not panic.
type Driver interface {
	// Start hands over an actor, or the supervisor, that has been started. From then on the driver
	// calls Step, until Step reports that the actor is gone. The supervisor comes first, in New.
	// Start may be called under the lifecycle lock: Start must not call the System or the Stepper.
	Start(x Stepper)
	// Wait returns when ready reports true. Only callers of Send, Cell, Create and Close wait,
	// never a Step. The driver may call ready at any time, and as often as the driver likes: ready
	// has no effect.
	Wait(ready func() bool)
	// Between is called where another goroutine may come between two steps of the protocol.
	Between()
}

// Stepper is an actor or the supervisor of a [System], cut into steps. The driver does not call a
// method of a Stepper during a Step of the same Stepper.
type Stepper interface {
	// Key returns the key of the actor, and "" for the supervisor.
	Key() string
	// Ready reports whether Step has something to do.
	Ready() bool
	// Step does one thing and reports whether the actor is gone: one turn of a message, one order,
	// one wake, one attempt to leave, or one part of a sweep. If both a message and the timer are
	// there, wakeFirst decides. A Step that is not Ready does nothing.
	Step(wakeFirst bool) (gone bool)
}

// at lets a test or a driver step in.
func (s *System[P, S, M]) at(p point) {
	if s.hook != nil {
		s.hook(p)
	}
}

// drive hands x to the driver.
func (s *System[P, S, M]) drive(x Stepper) {
	s.alive++
	s.driver.Start(x)
}

// undrive takes note that a stepper is gone. The supervisor is alive until Close, and nothing starts
// after Close.
func (s *System[P, S, M]) undrive() {
	if s.alive--; s.alive == 0 {
		close(s.closed)
	}
}

// wait waits until done is closed.
func (s *System[P, S, M]) wait(done <-chan struct{}) {
	if s.driver == nil {
		<-done
		return
	}
	s.driver.Wait(func() bool { return isClosed(done) })
}

// isClosed reports whether c, on which nothing is sent, is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
