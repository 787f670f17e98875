package engine

import (
	"context"
	"math"
	"time"
)

// simContext is the context of a call.
type simContext struct {
	c        *caller
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

// renew gives the caller a new context.
func (c *caller) renew(deadline, cancel int64) {
	w := c.w
	var unused chan struct{}
	if c.ctx != nil && c.ctx.err == nil {
		unused = c.ctx.done
	}
	x := &simContext{c: c, deadline: deadline, cancel: cancel}
	c.ctx = x
	w.ending &^= 1 << c.id
	if x.over() == math.MaxInt64 {
		return
	}
	if x.done = unused; unused == nil {
		x.done = make(chan struct{})
	}
	c.ends = x.over()
	if cancel > deadline && w.oneIn(8) { // the timer of a deadline is late
		c.ends += w.spread(1, w.tick)
	}
	w.ending |= 1 << c.id
	w.soonest = min(w.soonest, c.ends)
}

// expire ends the context.
func (c *caller) expire() {
	x := c.ctx
	if x == nil || x.err != nil || x.done == nil {
		return
	}
	x.err = context.DeadlineExceeded
	if x.cancel <= x.deadline {
		x.err = context.Canceled
	}
	close(x.done)
}
