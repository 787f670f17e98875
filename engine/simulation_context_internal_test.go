package engine

import (
	"context"
	"math"
	"time"
)

// simContext is the context of a call.
type simContext struct {
	deadline int64
	cancel   int64
	done     chan struct{}   // nil if the context never ends
	within   context.Context // of the probe's function in which the call is made; or nil
	err      error
}

func (x *simContext) Deadline() (time.Time, bool) {
	if x.deadline == math.MaxInt64 {
		return time.Time{}, false
	}
	return simEpoch.Add(time.Duration(x.deadline)), true
}

func (x *simContext) Done() <-chan struct{} { return x.done }

func (x *simContext) Err() error { return x.err }

// Value has the context be one of those that the function of a probe was given.
func (x *simContext) Value(key any) any {
	if x.within == nil {
		return nil
	}
	return x.within.Value(key)
}

// over is the instant at which the context ends, if its timer is in time.
func (x *simContext) over() int64 { return min(x.deadline, x.cancel) }

// renew gives the person a new context.
func (p *person) renew(deadline, cancel int64) {
	var unused chan struct{}
	if p.ctx != nil && p.ctx.err == nil {
		unused = p.ctx.done
	}
	x := &simContext{deadline: deadline, cancel: cancel}
	p.ctx = x
	p.u.ending &^= 1 << p.id
	if x.over() == math.MaxInt64 {
		return
	}
	if x.done = unused; unused == nil {
		x.done = make(chan struct{})
	}
	p.ends = x.over()
	if cancel > deadline && p.u.oneIn(8) { // the timer of a deadline is late
		p.ends += p.u.spread(1, p.u.tick)
	}
	p.u.ending |= 1 << p.id
	p.u.soonest = min(p.u.soonest, p.ends)
}

// expire ends the context.
func (p *person) expire() {
	x := p.ctx
	if x == nil || x.err != nil || x.done == nil {
		return
	}
	x.err = context.DeadlineExceeded
	if x.cancel <= x.deadline {
		x.err = context.Canceled
	}
	close(x.done)
}
