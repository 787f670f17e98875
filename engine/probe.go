package engine

import (
	"context"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/breaker"
)

// probe is the leave that the context of a running probe gives to calls for the probe's own key: such
// a call passes the breaker while the probe's lease is out, one at a time, and reports nothing. Without
// that leave a function that calls its own key could never succeed as a probe.
//
// A call that passes in a probe's function is a probe in turn for the calls in its own function, so
// that calls may nest. When a function has ended, its context gives no leave any more.
type probe struct {
	key    string
	permit breaker.Permit
	leave  atomic.Uint32 // leaveFree, leaveTaken or leaveOver
	outer  *probe        // of the same engine, in whose function this one began
}

// The leave of a probe.
const (
	leaveFree  = iota // the next call may take it
	leaveTaken        // a call is running, or being decided
	leaveOver         // the function has ended
)

// free gives the leave back.
func (p *probe) free() { p.leave.CompareAndSwap(leaveTaken, leaveFree) }

// probeOf is the key of the innermost probe of an engine in a context.
type probeOf struct{ eng *Engine }

// asProbe returns the context for the function of a call for key that holds permit. If the permit is a
// probe's, the context gives the leave of the probe that asProbe returns, and the call ends the leave with
// its function.
func (e *Engine) asProbe(ctx context.Context, key string, permit breaker.Permit) (context.Context, *probe) {
	if permit.Lease == 0 {
		return ctx, nil
	}
	return e.newProbe(ctx, key, permit)
}

func (e *Engine) newProbe(ctx context.Context, key string, permit breaker.Permit) (context.Context, *probe) {
	outer, _ := ctx.Value(probeOf{e}).(*probe)
	p := &probe{key: key, permit: permit, outer: outer}
	a := AttemptOf(ctx)
	a.Probe = true
	return &probeContext{ctx, probeOf{e}, p, &a}, p
}

// probeContext is the context of the function of a probe.
type probeContext struct {
	context.Context
	of      probeOf
	probe   *probe
	attempt *Attempt
}

func (c *probeContext) Value(key any) any {
	switch key {
	case c.of:
		return c.probe
	case attemptKey{}:
		return c.attempt
	}
	return c.Context.Value(key)
}

// end ends the leave. p may be nil.
func (p *probe) end() {
	if p != nil {
		p.leave.Store(leaveOver)
	}
}

// probeFor takes the leave of the innermost probe for key that ctx belongs to, and returns the probe;
// nil if there is none or the leave is not free.
func probeFor(ctx context.Context, e *Engine, key string) *probe {
	p, _ := ctx.Value(probeOf{e}).(*probe)
	for p != nil && p.key != key {
		p = p.outer
	}
	if p == nil || !p.leave.CompareAndSwap(leaveFree, leaveTaken) {
		return nil
	}
	return p
}
