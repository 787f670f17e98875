package engine

import "context"

// Context returns the context for the ticket's call, as the function of [Do] gets it: that of Admit. If
// Config.Timeout or AttemptTimeout is set, the context ends when that time is over, and with Done, unless Done is given
// a [Hold]. Calls made with the context of a probe's ticket pass the breaker of the probe's key, one at a time, until
// Done. Any goroutine may call Context.
func (t *Ticket) Context() context.Context { return t.ctx }

// asProbe makes the context of a ticket whose call is a probe of a breaker.
//
//go:noinline
func (t *Ticket) asProbe() {
	t.probes = new([longestChain]*probe)
	if t.call == nil {
		t.ctx, t.probes[0] = t.eng.asProbe(t.ctx, t.place.key, t.admission.permit)
		return
	}
	for i := range t.call.links {
		l := &t.call.links[i]
		t.ctx, t.probes[i] = l.eng.asProbe(t.ctx, l.key, t.call.got[i].permit)
	}
}
