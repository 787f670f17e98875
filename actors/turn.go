package actors

import "runtime/debug"

// turn gives m its turn.
func (a *actor[P, S, M]) turn(m *M) {
	a.inTurn = true
	if a.failedUntil != 0 && a.read() < a.failedUntil {
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

// wake gives the state the turn for which the state asked.
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
	if !ok || a.failedUntil > now || !a.sys.leave(a, false) {
		return false
	}
	a.sys.at(beforeForget)
	a.sys.forget(a.cell, now, o.unused)
	return true
}

// stop refuses all messages in the mailbox and fails all that the state owes, at the end of the
// system. The result is whether the actor is gone. Under a Driver, stop does not wait for a put
// that is on its way, and the next step calls stop again.
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

// discard answers an element of the mailbox at the end of the system.
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
	if !planted("a turn that panicked and is not undone") {
		a.state = a.good
	}
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
	keep := a.restartedAt[:0]
	for _, at := range a.restartedAt {
		if now-at < a.sys.window {
			keep = append(keep, at)
		}
	}
	a.restartedAt = append(keep, now)
	if len(a.restartedAt) > a.sys.budget {
		a.restartedAt, a.failedUntil = nil, now+min(a.sys.window, Never-now)
	}
}

// refuse answers m, which no turn will process. If Refuse panics too, m stays without an answer,
// but the actor lives.
func (a *actor[P, S, M]) refuse(m *M, err error) {
	defer func() { _ = recover() }()
	a.sys.behavior.Refuse(m, err)
}

// fail has the behavior answer all that the state owes. If Fail panics too, the state stays as the
// state was, and owes nothing: Fail is not asked again, and the key is never forgotten.
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
