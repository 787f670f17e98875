package actors

// Driver takes the place of the goroutines of a [System], for simulations: one goroutine, or one
// coroutine at a time, runs everything in an order of the driver's choice. The System then starts
// no goroutine and blocks on no channel, and nothing in the System is random but the order of
// [System.Keys]. The driver may run steps and callers in the midst of a call or of a Step: in
// Between, in Wait, and in the methods of Config.Clock. No lock is held there. The methods of a
// driver must not panic: the panic would count as a panic of the turn.
//
// Under a Driver some bounds are small, so that the few keys of a simulation reach every bound: for
// example, two actors linger at a time.
type Driver interface {
	// Start hands over an actor, or the supervisor, that has been started. From then on the driver
	// calls Step, until Step reports that the actor is gone. The supervisor comes first, in New.
	// Start may be called under the lifecycle lock: Start must not call the System or the Stepper.
	Start(x Stepper)
	// Wait returns when ready reports true. Callers of Send, Cell, Create and Close wait; a Step
	// never waits. The driver may call ready at any time, and as often as the driver likes: ready
	// has no effect.
	Wait(ready func() bool)
	// Between is called where another goroutine may come between two steps of the protocol.
	Between()
}

// Stepper is an actor or the supervisor of a [System], cut into steps. During a Step, the driver
// calls no method of the same Stepper.
type Stepper interface {
	// Key returns the key of the actor, and "" for the supervisor.
	Key() string
	// Ready reports whether Step has something to do.
	Ready() bool
	// Step does one thing: a turn of one message, one order, one wake, one attempt to leave, or one
	// part of a sweep. If both a message and the timer are there, wakeFirst decides. The result is
	// whether the actor is gone. A Step that is not Ready does nothing.
	Step(wakeFirst bool) (gone bool)
}

// point is a place in the protocol where a test or a Driver may step in; see System.hook.
type point int

const (
	afterLookup  point = iota // a sender holds a cell and perhaps the cell's actor, and has not put the message
	beforeBirth               // a cell is about to be born
	beforeStart               // an actor is about to be started
	afterStart                // a sender holds an actor that was just started, and has not put the message
	afterWait                 // an actor works, and has not looked whether its cell was put aside
	beforeLeave               // an actor has nothing to wait for, or has been told to leave, and is about to try
	beforeNote                // an actor has closed its mailbox, and has left no note
	beforeTidy                // an actor has left a note, and its cell does not know
	beforeForget              // an actor has left by an order, and its cell is about to be looked at for retirement
	beforeSweep               // a sweep is about to begin
	beforeOrder               // a sweep has found idle actors, and has not told the actors to leave
)

// at lets a test or a Driver step in.
func (s *System[P, S, M]) at(p point) {
	if s.hook != nil {
		s.hook(p)
	}
}

// drive hands x to the driver.
func (s *System[P, S, M]) drive(x Stepper) {
	s.steppers++
	s.driver.Start(x)
}

// undrive takes note that a Stepper is gone. The supervisor is there until Close, and no actor
// starts after Close.
func (s *System[P, S, M]) undrive() {
	if s.steppers--; s.steppers == 0 {
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

// isClosed reports whether c, a channel without elements, is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
