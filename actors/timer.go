package actors

import "time"

// read reads the system's clock. After a panic of the clock, calling stays true.
func (a *actor[P, S, M]) read() int64 {
	a.calling = true
	a.seen = a.sys.Now()
	a.calling = false
	return a.seen
}

// tryRead is read, but survives a panic of the clock, and then returns the last reading.
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
	if a.armedFor == at || a.armedFor != Never && planted("a timer that is not set anew") {
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

// drop stops the timer for good, in any state of the timer.
func (a *actor[P, S, M]) drop() {
	defer func() { _ = recover() }()
	timer := a.timer
	a.timer, a.due, a.armedFor, a.calling = nil, nil, Never, false
	if timer != nil {
		timer.Stop()
	}
}
