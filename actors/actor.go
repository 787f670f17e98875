package actors

import (
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/mailbox"
)

// envelope is an element of a mailbox: a message, or an order.
type envelope[M any] struct {
	order *order
	m     M
}

// order tells an actor to stop, or else to leave. An actor does not leave while a wake is to come,
// or if a use of the actor came after since. An actor that leaves forgets its cell if the cell
// equals a new cell and no use came after unused.
type order struct {
	since  int64
	unused int64
	stop   bool
	done   chan struct{} // nil, or closed when the order has been carried out
}

// working is actor.waits while the actor works, or waits for a message alone.
const working = -1

// wariness is for how long an actor leaves the timers of the system's clock alone after a panic of
// that clock.
const wariness = time.Second

// actor takes the messages of a cell, one after the other. A goroutine calls run, or a Driver calls
// the steps of a steppedActor.
type actor[P, S, M any] struct {
	sys  *System[P, S, M]
	cell *Cell[P, S, M]
	box  *mailbox.Mailbox[envelope[M]]

	used  atomic.Int64 // the instant of the last turn that was a use
	waits atomic.Int64 // how many messages had been taken when the actor began to wait for the next, or for a wake; else working
	aside atomic.Bool  // a search has put the cell aside because the actor waits for a wake

	asked          atomic.Pointer[order] // of a caller that needs room, not carried out yet
	lingers        atomic.Bool           // the actor stays although the actor has nothing to wait for
	departedBefore *actor[P, S, M]       // the list of actors that have left; see System.departed

	// Owned by the goroutine of run, or by the step.
	now         func() int64 // read
	state       S
	good        S // the state after the last turn that ended
	next        Next
	hot         bool             // started so often that the actor had better linger
	timer       clock.Timer      // nil until the first Wake
	due         <-chan time.Time // of timer
	armedFor    int64            // the instant for which timer is armed, or Never
	current     envelope[M]      // taken last
	inTurn      bool             // current is a message whose turn has not ended
	seen        int64            // the last reading of the clock
	calling     bool             // a method of the clock or of timer has been called and has not returned
	wary        bool             // such a method has just panicked, and not in the turn of a message
	panicked    bool             // a turn has panicked
	restartedAt []int64          // the instants of the restarts within the last window
	failedUntil int64            // the actor refuses messages until then
}

// newActor makes an actor for c. The actor must be started by start.
func (s *System[P, S, M]) newActor(c *Cell[P, S, M]) *actor[P, S, M] {
	a := &actor[P, S, M]{
		sys:      s,
		cell:     c,
		armedFor: Never,
		seen:     1,
	}
	if s.driver == nil {
		a.box = mailbox.New[envelope[M]](s.mailbox)
	} else {
		a.box = mailbox.NewDriven[envelope[M]](s.mailbox, s.driver)
	}
	a.now = a.read
	a.waits.Store(working)
	a.used.Store(-s.idleAfter.Load()) // an actor that is started only to be asked something has gone unused for long
	return a
}

// run is the actor's goroutine. The goroutine ends when the actor leaves, or at Close.
func (a *actor[P, S, M]) run() {
	gone := false
	defer func() {
		if !gone { // runtime.Goexit was called: the goroutine is lost, the actor is not
			a.sys.join(a.run)
		}
	}()
	for !a.serve() {
	}
	gone = true
	a.drop()
}

// serve takes messages until the actor leaves, and reports whether the actor has left; false means
// that a turn or the clock panicked.
func (a *actor[P, S, M]) serve() (gone bool) {
	defer func() {
		if !gone {
			a.restart(recover())
		}
	}()
	for {
		if a.process(a.await()) || a.idle() && a.sys.leave(a, a.hot) {
			return true
		}
	}
}

// await takes the next message into current, or reports false when it is time to wake.
func (a *actor[P, S, M]) await() (message bool) {
	for {
		if a.prepare(); a.next.Wake == Never {
			a.current = a.box.Take()
			return true
		}
		over := a.due
		if a.wary {
			pause := clock.System().NewTimer(wariness)
			defer pause.Stop()
			over = pause.C()
		}
		select {
		case a.current = <-a.box.C():
			a.box.Took()
			a.work()
			return true
		case <-over:
			if a.rouse() {
				return false
			}
		}
	}
}

// prepare prepares the wait for the next message or wake.
func (a *actor[P, S, M]) prepare() {
	if a.next.Wake == Never {
		a.disarm()
		return
	}
	if !a.wary {
		a.arm(max(a.next.Wake, a.failedUntil))
	}
	a.waits.Store(a.box.Taken())
}

// work ends the wait of an actor that had a wake to come.
func (a *actor[P, S, M]) work() {
	a.waits.Store(working)
	a.sys.at(afterWait)
	if a.aside.Load() {
		a.sys.putBack(a)
	}
}

// rouse is work if no message came: the timer has fired, or a wary actor has paused for long
// enough. The result is whether it is time to wake.
func (a *actor[P, S, M]) rouse() bool {
	a.work()
	if a.wary {
		a.wary = false
		return false
	}
	a.armedFor = Never
	return true
}

// process gives the message in current its turn, obeys the order in current, or wakes, and reports
// whether the actor has left.
func (a *actor[P, S, M]) process(message bool) (gone bool) {
	switch {
	case !message:
		a.wake()
	case a.current.order == nil:
		a.turn(&a.current.m)
	default:
		return a.obey(a.current.order)
	}
	return false
}

// idle reports whether nothing keeps the actor from leaving.
func (a *actor[P, S, M]) idle() bool {
	return a.next.Wake == Never && !a.lingers.Load() && !a.panicked && a.box.Empty()
}

// held reports whether the actor waits for a wake and so cannot leave, and no message that may
// change that is on its way. Any goroutine may ask.
func (a *actor[P, S, M]) held() bool {
	taken := a.waits.Load()
	return taken != working && a.box.Quiet(taken)
}
