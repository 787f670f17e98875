package actors

import (
	"runtime/debug"
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

// actor is the goroutine of a cell, and all that the goroutine needs while it runs.
type actor[P, S, M any] struct {
	sys  *System[P, S, M]
	cell *Cell[P, S, M]
	box  *mailbox.Mailbox[envelope[M]]

	used  atomic.Int64 // the instant of the last turn that was a use
	waits atomic.Int64 // how many messages had been taken when the actor began to wait for the next, or for a wake; else working
	aside atomic.Bool  // a search has put the cell aside because the actor waits for a wake

	asked      atomic.Pointer[order] // of a caller that needs room, not carried out yet
	lingers    atomic.Bool           // the actor stays although it has nothing to wait for
	leftBefore *actor[P, S, M]       // the list of actors that have left; see System.left

	// Owned by run.
	now      func() int64 // read
	state    S
	good     S // the state after the last turn that ended
	next     Next
	hot      bool             // started so often that the actor had better linger
	timer    clock.Timer      // nil until the first Wake
	due      <-chan time.Time // of timer
	armedFor int64            // the instant for which timer is armed, or Never
	current  envelope[M]      // taken last
	inTurn   bool             // current is a message whose turn has not ended
	seen     int64            // the last reading of the clock
	calling  bool             // a method of the clock or of timer has been called and has not returned
	wary     bool             // such a method has just panicked, and not in the turn of a message
	panicked bool             // a turn has panicked
	restarts []int64          // the instants of the restarts within the last window
	failed   int64            // refuse messages until then
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
	a.used.Store(-int64(s.idleAfter)) // an actor that is started only to be asked something has gone unused for long
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
func (a *actor[P, S, M]) await() bool {
	for {
		if a.rest(); a.next.Wake == Never {
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

// rest prepares the wait for the next message or wake.
func (a *actor[P, S, M]) rest() {
	if a.next.Wake == Never {
		a.disarm()
		return
	}
	if !a.wary {
		a.arm(max(a.next.Wake, a.failed))
	}
	a.waits.Store(a.box.Taken())
}

// rouse ends a wait in which no message came: the timer has fired, or the actor has been wary for long
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

// process gives the message or order in current its turn, or wakes, and reports whether the actor has
// left.
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

// turn gives m its turn.
func (a *actor[P, S, M]) turn(m *M) {
	a.inTurn = true
	if a.failed != 0 && a.read() < a.failed {
		a.inTurn = false
		a.refuse(m, ErrFailed)
		return
	}
	next := a.sys.behavior.Receive(a.now, &a.cell.Published, &a.state, m)
	a.inTurn = false
	if !next.Same {
		a.settle(next)
	}
}

// wake gives the state the turn that the state asked for.
func (a *actor[P, S, M]) wake() {
	a.settle(a.sys.behavior.Wake(a.read(), &a.cell.Published, &a.state))
}

// settle takes over the result of a turn.
func (a *actor[P, S, M]) settle(next Next) {
	a.good, a.wary = a.state, false
	if next.Used != 0 {
		a.used.Store(next.Used)
	}
	a.next = next
}

// work ends a wait.
func (a *actor[P, S, M]) work() {
	a.waits.Store(working)
	a.sys.at(afterWait)
	if a.aside.Load() {
		a.sys.putBack(a)
	}
}

// held reports whether the actor waits for a wake, so that it cannot leave, and no message is on
// its way that may change that. Any goroutine may ask.
func (a *actor[P, S, M]) held() bool {
	taken := a.waits.Load()
	return taken != working && a.box.Quiet(taken)
}

// read reads the system's clock. A panic of the clock leaves calling behind.
func (a *actor[P, S, M]) read() int64 {
	a.calling = true
	a.seen = a.sys.Now()
	a.calling = false
	return a.seen
}

// tryRead is read, but survives a panic of the clock, and returns the reading before then.
func (a *actor[P, S, M]) tryRead() (now int64, ok bool) {
	defer func() {
		if !ok {
			_ = recover()
			now, a.calling = a.seen, false
		}
	}()
	return a.read(), true
}

// arm sets the one timer of the actor.
func (a *actor[P, S, M]) arm(at int64) {
	if a.armedFor == at {
		return
	}
	d := time.Duration(at - a.read())
	a.calling = true
	if a.timer == nil {
		timer := a.sys.clock.NewTimer(d)
		a.timer, a.due = timer, timer.C()
	} else {
		a.timer.Reset(d)
	}
	a.calling = false
	a.armedFor = at
}

// disarm stops the timer.
func (a *actor[P, S, M]) disarm() {
	if a.armedFor == Never {
		return
	}
	a.armedFor = Never
	a.calling = true
	a.timer.Stop()
	a.calling = false
}

// drop stops the timer for good, whatever state the timer is in.
func (a *actor[P, S, M]) drop() {
	defer func() { _ = recover() }()
	timer := a.timer
	a.timer, a.due, a.armedFor, a.calling = nil, nil, Never, false
	if timer != nil {
		timer.Stop()
	}
}

// obey carries out an order and reports whether the actor is gone.
func (a *actor[P, S, M]) obey(o *order) (gone bool) {
	if o.done != nil {
		defer func() {
			a.asked.Store(nil)
			close(o.done)
		}()
	}
	if o.stop {
		return a.stop()
	}
	if a.next.Wake != Never || a.used.Load() > o.since {
		return false
	}
	now, ok := a.tryRead()
	if !ok || a.failed > now || !a.sys.leave(a, false) {
		return false
	}
	a.sys.at(beforeForget)
	a.sys.forget(a.cell, now, o.unused)
	return true
}

// stop refuses all that is queued and fails all that is owed, at the end of the system. The result is
// whether the actor is gone: under a Driver, stop is called again while a put is on its way.
func (a *actor[P, S, M]) stop() (gone bool) {
	if a.sys.driver == nil {
		a.box.CloseAndDrain(a.discard)
	} else if !a.box.Drain(a.discard) {
		return false
	}
	a.fail(a.seen, ErrClosed)
	a.sys.stopped(a)
	return true
}

// discard refuses what is queued at the end of the system.
func (a *actor[P, S, M]) discard(e envelope[M]) {
	switch {
	case e.order == nil:
		a.refuse(&e.m, ErrClosed)
	case e.order.done != nil:
		close(e.order.done)
	}
}

// restart puts the actor back on its feet after a panic: with the state as it was after the last
// turn that ended. The message of the turn, and all that the state owes an answer to, is answered
// with the panic. A panic of the clock is no fault of the turn and does not count against the
// budget.
func (a *actor[P, S, M]) restart(reason any) {
	err := &PanicError{Key: a.cell.key, Value: reason, Stack: debug.Stack()}
	a.sys.restarts.Add(1)
	a.state = a.good
	byClock, inTurn, now := a.calling, a.inTurn, a.seen
	a.calling, a.inTurn = false, false
	if !byClock {
		now, _ = a.tryRead()
	}
	if inTurn {
		a.refuse(&a.current.m, err)
	}
	a.fail(now, err)
	if byClock {
		if !inTurn {
			a.wary = true
			a.drop()
		}
		return
	}
	a.panicked = true // the actor stays, because its successor would have a new budget
	keep := a.restarts[:0]
	for _, at := range a.restarts {
		if now-at < a.sys.window {
			keep = append(keep, at)
		}
	}
	a.restarts = append(keep, now)
	if len(a.restarts) > a.sys.budget {
		a.restarts, a.failed = nil, now+min(a.sys.window, Never-now)
	}
}

// refuse answers m, which no turn will process. Should refuse panic too, m stays without an answer,
// but the actor lives.
func (a *actor[P, S, M]) refuse(m *M, err error) {
	defer func() { _ = recover() }()
	a.sys.behavior.Refuse(m, err)
}

// fail has the behavior answer all that the state owes. Should that panic too, the state stays as
// it is, owing nothing: Fail is not asked again, and the key is never forgotten.
func (a *actor[P, S, M]) fail(now int64, err error) {
	next := Next{Wake: Never, Forget: Never}
	defer func() {
		if recover() != nil {
			a.state = a.good
		}
		a.settle(next)
	}()
	next = a.sys.behavior.Fail(now, &a.cell.Published, &a.state, err)
}
