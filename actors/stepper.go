package actors

import (
	"time"

	"github.com/limitpal/limitpal-go/clock"
)

// steppedActor is an actor under a Driver. Step takes the place of actor.run.
type steppedActor[P, S, M any] struct {
	*actor[P, S, M]

	rested   bool // the wait is prepared
	fired    bool // the tick of the timer has been received and not been used
	leaving  bool // the next step is an attempt to leave
	stopping bool // the order to stop is being obeyed
}

// Key implements Stepper.
func (x *steppedActor[P, S, M]) Key() string { return x.cell.key }

// Ready implements Stepper.
func (x *steppedActor[P, S, M]) Ready() bool {
	if x.stopping {
		return x.box.Len() > 0 || x.box.Drained()
	}
	return !x.rested || x.leaving || x.box.Len() > 0 || x.due()
}

// due reports whether the wait is over without a message. Under a Driver a pause of a wary actor lasts
// until the next step.
func (x *steppedActor[P, S, M]) due() bool {
	if x.next.Wake == Never {
		return false
	}
	if !x.wary && !x.fired {
		x.fired = received(x.actor.due)
	}
	return x.wary || x.fired
}

// received takes a tick and reports whether there was one.
func received(due <-chan time.Time) bool {
	select {
	case <-due:
		return true
	default:
		return false
	}
}

// Step implements Stepper.
func (x *steppedActor[P, S, M]) Step(wakeFirst bool) (gone bool) {
	if !x.Ready() {
		return false
	}
	if gone = x.step(wakeFirst); gone {
		x.drop()
		x.sys.undrive()
	}
	return gone
}

// step is Step but for the end. A panic costs what a panic costs in actor.serve.
func (x *steppedActor[P, S, M]) step(wakeFirst bool) (gone bool) {
	whole := false
	defer func() {
		if !whole {
			x.rested = false
			x.restart(recover())
		}
	}()
	gone = x.do(wakeFirst)
	if !gone && !x.leaving && !x.stopping {
		x.prepare()
	}
	whole = true
	return gone
}

// prepare is rest, once for each wait.
func (x *steppedActor[P, S, M]) prepare() {
	if x.rested {
		return
	}
	armedFor := x.armedFor
	x.rest()
	x.rested, x.fired = true, x.fired && x.armedFor == armedFor
}

// do is the part of a step after a wait.
func (x *steppedActor[P, S, M]) do(wakeFirst bool) (gone bool) {
	switch {
	case x.stopping:
		return x.stop()
	case x.leaving:
		x.leaving = false
		return x.idle() && x.sys.leave(x.actor, x.hot)
	}
	x.prepare()
	due, message := x.due(), false
	if !due || !wakeFirst {
		x.current, message = x.box.TryTake()
	}
	if !due && !message {
		return false
	}
	x.rested = false
	if !message {
		x.fired = false
		if !x.rouse() {
			return false
		}
	} else if x.next.Wake != Never {
		x.work()
	}
	gone = x.process(message)
	x.stopping = message && !gone && x.current.order != nil && x.current.order.stop
	x.leaving = !gone && !x.stopping && x.idle()
	return gone
}

// steppedSupervisor is the supervisor under a Driver. Step takes the place of System.supervise.
type steppedSupervisor[P, S, M any] struct {
	sys *System[P, S, M]

	timer clock.Timer    // nil before the first step, and after a panic of the clock
	fired bool           // the tick of timer has been received
	sweep *walk[P, S, M] // under way, or nil
	stop  *walk[P, S, M] // nil before Close
}

// Key implements Stepper.
func (v *steppedSupervisor[P, S, M]) Key() string { return "" }

// Ready implements Stepper.
func (v *steppedSupervisor[P, S, M]) Ready() bool {
	if v.stop != nil {
		last := len(v.stop.found) - 1
		return last < 0 || v.stop.found[last].box.Len() < v.sys.mailbox
	}
	if v.timer == nil || v.sweep != nil || isClosed(v.sys.closing) {
		return true
	}
	v.fired = v.fired || received(v.timer.C())
	return v.fired
}

// Step implements Stepper.
func (v *steppedSupervisor[P, S, M]) Step(bool) (gone bool) {
	switch {
	case !v.Ready():
	case v.stop != nil:
		if gone = v.sys.stopNext(v.stop); gone {
			v.sys.undrive()
		}
	case isClosed(v.sys.closing):
		v.drop()
		v.stop = v.sys.walk(held, running)
	default:
		v.watch()
	}
	return gone
}

// watch is a step before Close. A panic of the clock ends the sweep. Under a Driver, the pause after
// the panic lasts until the next step.
func (v *steppedSupervisor[P, S, M]) watch() {
	whole := false
	defer func() {
		if !whole {
			_ = recover()
			v.drop()
		}
	}()
	switch {
	case v.timer == nil:
		v.timer = v.sys.clock.NewTimer(v.sys.every())
	case v.sweep == nil:
		v.fired, v.sweep = false, v.sys.newSweep()
	case v.sys.sweepNext(v.sweep):
		v.sweep = nil
		v.timer.Reset(v.sys.every())
	}
	whole = true
}

// drop ends the sweep that is under way, and stops the timer for good.
func (v *steppedSupervisor[P, S, M]) drop() {
	defer func() { _ = recover() }()
	timer := v.timer
	v.timer, v.sweep, v.fired = nil, nil, false
	if timer != nil {
		timer.Stop()
	}
}
