package actors

import "github.com/limitpal/limitpal-go/clock"

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
		v.stop = v.sys.newStop()
	default:
		v.watch()
	}
	return gone
}

// watch is a step before Close. A panic of the clock ends the sweep. Under a Driver, the pause
// after the panic lasts until the next step.
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
