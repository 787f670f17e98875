package actors

import (
	"runtime/debug"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/mailbox"
)

// Cell is the place of one key: what is published of it, and its actor while one runs. A million keys have a million cells, so
// that it is small: 40 bytes and P.
type Cell[P, S, M any] struct {
	// Published is the part of the state that callers may read, and perhaps move, whether an actor runs or not.
	Published P

	key   string
	actor atomic.Pointer[actor[P, S, M]] // nil while no goroutine runs
	// Guarded by the lifecycle lock.
	rest    *rest[S] // what the last actor left behind; nil when the published part says it all
	index   uint32   // in System.ring
	starts  uint8    // of its actor since the last sweep, as far as eager
	retired bool
}

// rest is the state of a key between two actors.
type rest[S any] struct {
	state  S
	forget int64 // Next.Forget of the last turn
}

// left is the state that the last actor left behind, or nil.
func (c *Cell[P, S, M]) left() *S {
	if c.rest == nil {
		return nil
	}
	return &c.rest.state
}

// Key is the key of the cell.
func (c *Cell[P, S, M]) Key() string { return c.key }

// envelope is what travels in a mailbox: a message, or an order of the supervisor.
type envelope[M any] struct {
	order *order
	m     M
}

// order is what the supervisor tells an actor: to leave if it can and has not been used since, and to take its cell with it if
// that equals a new one and has gone unused; or to stop.
type order struct {
	since  int64
	unused int64
	stop   bool
	done   chan struct{} // nil, or closed when the order has been carried out
}

// actor is the goroutine of a cell and what it needs while it runs.
type actor[P, S, M any] struct {
	sys  *System[P, S, M]
	cell *Cell[P, S, M]
	box  *mailbox.Mailbox[envelope[M]]

	used   atomic.Int64 // the instant of the last turn that was a use
	forget atomic.Int64 // Next.Forget of the last turn

	// Owned by run.
	state    S
	eager    bool // to leave as soon as the key is clean
	next     Next
	timer    clock.Timer // nil until the first Wake
	armedFor int64       // what the timer is set to; Never when it is stopped
	current  envelope[M] // what was taken last
	inTurn   bool        // whether current is a message whose turn has not ended
	good     S           // the state before the turn
	restarts []int64     // the instants of the restarts within the last window
	failed   int64       // refuse messages until then
}

// run is the actor's goroutine. It ends when the actor leaves, or at Close.
func (a *actor[P, S, M]) run() {
	gone := false
	defer func() {
		if !gone { // runtime.Goexit was called: this goroutine is lost, the actor is not
			a.sys.join(a.run)
		}
	}()
	for !a.serve() {
	}
	gone = true
	if a.timer != nil {
		a.timer.Stop()
	}
}

// serve takes messages until the actor leaves, and reports whether it has; false means that a turn panicked.
func (a *actor[P, S, M]) serve() (gone bool) {
	defer func() {
		if !gone {
			a.restart(recover())
		}
	}()
	for {
		switch message := a.await(); {
		case !message:
			a.wake()
		case a.current.order == nil:
			a.turn(&a.current.m)
		case a.obey(a.current.order):
			return true
		}
		if a.next.Clean && a.eager && a.box.Empty() && a.sys.leave(a) {
			return true
		}
	}
}

// await takes the next message into current, or reports false when it is time to wake.
func (a *actor[P, S, M]) await() bool {
	if a.next.Wake == Never {
		a.current = a.box.Take()
		return true
	}
	a.arm(max(a.next.Wake, a.failed))
	select {
	case a.current = <-a.box.C():
		a.box.Took()
		return true
	case <-a.timer.C():
		a.armedFor = Never
		return false
	}
}

// turn gives m its turn.
func (a *actor[P, S, M]) turn(m *M) {
	a.good = a.state
	if a.failed != 0 && a.sys.now() < a.failed {
		a.refuse(m, ErrFailed)
		return
	}
	a.inTurn = true
	next := a.sys.behavior.Receive(a.sys.now, &a.cell.Published, &a.state, m)
	a.inTurn = false
	if !next.Same {
		a.settle(next)
	}
}

// wake gives the state the turn that it asked for.
func (a *actor[P, S, M]) wake() {
	a.good = a.state
	a.settle(a.sys.behavior.Wake(a.sys.now(), &a.cell.Published, &a.state))
}

// settle takes over what a turn said.
func (a *actor[P, S, M]) settle(next Next) {
	if next.Used != 0 {
		a.used.Store(next.Used)
	}
	a.next = next
	a.forget.Store(next.Forget)
	if next.Wake == Never && a.timer != nil && a.armedFor != Never {
		a.timer.Stop()
		a.armedFor = Never
	}
}

// arm sets the one timer of the actor.
func (a *actor[P, S, M]) arm(at int64) {
	if a.armedFor == at {
		return
	}
	d := a.sys.until(at)
	if a.timer == nil {
		a.timer = a.sys.clock.NewTimer(d)
	} else {
		a.timer.Reset(d)
	}
	a.armedFor = at
}

// obey carries out an order and reports whether the actor is gone.
func (a *actor[P, S, M]) obey(o *order) (gone bool) {
	if o.done != nil {
		defer close(o.done)
	}
	if o.stop {
		a.stop()
		return true
	}
	if a.next.Wake != Never || a.used.Load() > o.since || a.failed > a.sys.now() || !a.sys.leave(a) {
		return false
	}
	a.sys.forget(a.cell, o.unused)
	return true
}

// stop refuses what is queued and fails what is owed, at the end of the system.
func (a *actor[P, S, M]) stop() {
	a.box.CloseAndDrain(func(e envelope[M]) {
		switch {
		case e.order == nil:
			a.refuse(&e.m, ErrClosed)
		case e.order.done != nil:
			close(e.order.done)
		}
	})
	a.fail(ErrClosed)
	a.sys.stopped(a)
}

// restart puts the actor back on its feet after a panic: the state as it was before the turn, the turn's message and all
// that the state owes answered.
func (a *actor[P, S, M]) restart(reason any) {
	err := &PanicError{Key: a.cell.key, Value: reason, Stack: debug.Stack()}
	a.sys.restarts.Add(1)
	a.state = a.good

	now := a.sys.now()
	keep := a.restarts[:0]
	for _, at := range a.restarts {
		if now-at < a.sys.window {
			keep = append(keep, at)
		}
	}
	a.restarts = append(keep, now)
	a.eager = false // its successor would have a new budget
	if len(a.restarts) > a.sys.budget {
		a.restarts, a.failed = nil, now+a.sys.window
	}

	if a.inTurn {
		a.inTurn = false
		a.refuse(&a.current.m, err)
	}
	a.fail(err)
}

// refuse answers m, which no turn will process. Should that panic too, m stays without an answer, but the actor lives.
func (a *actor[P, S, M]) refuse(m *M, err error) {
	defer func() { _ = recover() }()
	a.sys.behavior.Refuse(m, err)
}

// fail has the behavior answer what the state owes. Should that panic too, the state stays as it is, owing nothing: it
// is not asked again, and never forgotten.
func (a *actor[P, S, M]) fail(err error) {
	next := Next{Wake: Never, Forget: Never}
	defer func() {
		if recover() != nil {
			a.state = a.good
		}
		a.settle(next)
	}()
	a.good = a.state
	next = a.sys.behavior.Fail(a.sys.now(), &a.cell.Published, &a.state, err)
}
