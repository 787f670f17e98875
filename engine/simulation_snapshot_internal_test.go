package engine

import (
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// expectSnapshot works out what Inspect ought to show.
func (w *world) expectSnapshot(c *caller, a *account, now int64) {
	to := &c.expected
	*to = guard.Snapshot{Limits: to.Limits[:0], Waiting: a.waits()}
	if a.site != nil {
		to.InFlight = a.site.inside
	}
	b := a.atGate()
	for i := range b.rules.limits {
		l := &b.rules.limits[i]
		burst, used := l.burst(), max(0, b.buckets[i].full-now)
		st := limiter.Status{Available: min(max(0, float64(burst-used)/float64(l.interval)), float64(l.capacity))}
		for _, q := range a.waiting() {
			st.Queued += int(q.n)
		}
		if l.paced {
			st.Available = max(0, st.Available-float64(st.Queued))
			if used > 0 {
				st.Queued = int(guard.Later(int64(st.Queued), (used-1)/l.interval+1))
			}
		}
		to.Limits = append(to.Limits, st)
	}
	at := w.probeReady(&a.circuit, now)
	to.Breaker, to.OpenFor, to.Forced = a.circuit.state, time.Duration(at-now), a.circuit.forced
	if at == guard.Never {
		to.OpenFor = breaker.Forever
	}
	if to.Breaker == breaker.Closed {
		to.Failures = a.circuit.row
		if !a.circuit.forced {
			to.Window = a.circuit.window.count(a.circuit.rules, now)
		}
	}
	if to.Breaker == breaker.Open && at == now {
		to.Breaker = breaker.HalfOpen
	}
}
