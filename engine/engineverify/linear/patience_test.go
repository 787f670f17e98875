package linear_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// patience is the context of a call, which another client may end while the call waits. What the
// outcome of an admitted call means depends on its context too, so that from then on it either has
// ended or does not end any more.
type patience struct {
	context.Context
	end   context.CancelFunc // nil: it cannot be ended
	taken atomic.Bool        // by whoever ends the context, or by the call when it is admitted
	lost  bool               // the context has ended although the call was admitted
}

// limited returns a context that ends between ticks and the next, or never if ticks is 0.
func limited(ticks int8) (context.Context, context.CancelFunc) {
	if ticks == 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), time.Duration(ticks)*tick+tick/2)
}

// lose ends the context, if the call has not been admitted.
func (p *patience) lose() {
	if !p.taken.Swap(true) {
		p.end()
	}
}

// seal is called when the call has been admitted.
func (p *patience) seal() {
	if p.taken.Swap(true) {
		<-p.Done() // about to end
		p.lost = true
	}
}

// outcome is what an end of the call means.
func (p *patience) outcome(end int) engine.Outcome {
	if p.lost && ends[end].err != nil {
		return engine.Ignore
	}
	return ends[end].outcome
}
