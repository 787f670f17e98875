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

// asProbe returns fn with a context that gives the leave of a call for key that holds permit, a probe's,
// until fn has ended.
func (e *Engine) asProbe(key string, permit breaker.Permit, fn func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		outer, _ := ctx.Value(probeOf{e}).(*probe)
		p := &probe{key: key, permit: permit, outer: outer}
		defer p.leave.Store(leaveOver)
		return fn(context.WithValue(ctx, probeOf{e}, p))
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
