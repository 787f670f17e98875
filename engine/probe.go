package engine

import (
	"context"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/breaker"
)

// probe is the leave that the context of a running probe gives to calls for the probe's own key: such
// a call passes the breaker while the probe's lease is out, one at a time, and reports nothing. Without
// that leave a function that calls its own key could never succeed as a probe.
type probe struct {
	key    string
	permit breaker.Permit
	busy   atomic.Bool // a call under the probe is running or being decided
	outer  *probe      // of the same engine, in whose function this one began
}

// probeOf is the key of the innermost probe of an engine in a context.
type probeOf struct{ eng *Engine }

// withProbe returns ctx for the function of a call for key that holds permit, a probe's.
func withProbe(ctx context.Context, e *Engine, key string, permit breaker.Permit) context.Context {
	outer, _ := ctx.Value(probeOf{e}).(*probe)
	return context.WithValue(ctx, probeOf{e}, &probe{key: key, permit: permit, outer: outer})
}

// probeFor returns the probe for key that ctx belongs to, with its leave taken, or nil. The leave goes
// back when busy is set to false.
func probeFor(ctx context.Context, e *Engine, key string) *probe {
	p, _ := ctx.Value(probeOf{e}).(*probe)
	for p != nil && p.key != key {
		p = p.outer
	}
	if p == nil || !p.busy.CompareAndSwap(false, true) {
		return nil
	}
	return p
}
