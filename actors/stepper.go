package actors

import "time"

// steppedActor is an actor under a Driver. Step takes the place of actor.run.
type steppedActor[P, S, M any] struct {
	*actor[P, S, M]

	prepared bool // the wait has been prepared
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
	return !x.prepared || x.leaving || x.box.Len() > 0 || x.due()
}

// due reports whether the wait is over without a message. Under a Driver a pause of a wary actor
// lasts until the next step.
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
			x.prepared = false
			x.restart(recover())
		}
	}()
	gone = x.do(wakeFirst)
	if !gone && !x.leaving && !x.stopping {
		x.prepareOnce()
	}
	whole = true
	return gone
}

// prepareOnce is prepare, once for each wait.
func (x *steppedActor[P, S, M]) prepareOnce() {
	if x.prepared {
		return
	}
	armedFor := x.armedFor
	x.prepare()
	x.prepared, x.fired = true, x.fired && x.armedFor == armedFor
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
	x.prepareOnce()
	due, message := x.due(), false
	if !due || !wakeFirst {
		x.current, message = x.box.TryTake()
	}
	if !due && !message {
		return false
	}
	x.prepared = false
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
