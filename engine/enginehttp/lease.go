package enginehttp

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// probePatience is how long a call with the leave of a probe may wait for the body of its request,
// in all, until the leave goes back.
const probePatience = 100 * time.Millisecond

// lease is the leave of a call whose end may depend on a client that has yet to send a body. A
// probe's place must not depend on that client: the lease gives the place back when the body has
// been awaited for patience, and the call goes on without.
type lease struct {
	subject
	ctx    context.Context
	ticket *engine.Ticket
	probe  bool        // whether the call began as a probe
	hold   engine.Hold // what the call keeps when the ticket has gone back
	state  atomic.Uint32
}

// newLease returns the lease of a call of s that was admitted with ticket.
func newLease(ctx context.Context, s *subject, ticket *engine.Ticket) *lease {
	return &lease{subject: *s, ctx: ctx, ticket: ticket, probe: ticket.Probe()}
}

// The states of a lease.
const (
	leaseHeld     = iota // the ticket is out
	leaseReturned        // the ticket has gone back, and the call goes on
	leaseOver            // the call has ended
)

// patienceOf returns subject.patience for an engine, and 0 if the engine has no breaker. A probe
// must not reach ProbeTimeout, since that would be a failure.
func patienceOf(cfg engine.Config) time.Duration {
	switch {
	case cfg.Breaker == nil:
		return 0
	case cfg.Breaker.ProbeTimeout == 0: // the default is long
		return probePatience
	}
	return min(probePatience, cfg.Breaker.ProbeTimeout/2)
}

// errAwaited is the error of a call that says nothing about the upstream.
var errAwaited = errors.New("enginehttp: the body of the request is awaited")

// undecided is the end of such a call.
var undecided error = &engine.Verdict{Err: errAwaited, Outcome: engine.Ignore, Final: true}

// giveBack gives the place of a probe back. A call that is no probe keeps its leave: its end counts
// as the breaker has it. The context of the call, and its place in flight, last until done, or for
// as long as the body of the answer.
func (l *lease) giveBack() {
	if l.probe && l.state.CompareAndSwap(leaseHeld, leaseReturned) {
		l.ticket.Done(&engine.Verdict{Err: errAwaited, Outcome: engine.Ignore, Final: true, Keep: &l.hold})
	}
}

// done reports how the call ended. A call whose leave has gone back is still as good a probe as
// any: done asks for the leave of another probe, which takes a token of each key, and reports the
// end of the call for that probe.
func (l *lease) done(err error) {
	if l.state.CompareAndSwap(leaseHeld, leaseOver) {
		l.ticket.Done(err)
		return
	}
	v, ok := err.(*engine.Verdict) //nolint:errorlint // made here
	if ok && v.Keep != nil {
		v.Keep = nil // the body of the answer has it already
	} else {
		l.hold.Release()
	}
	if ok && v.Outcome == engine.Ignore || !l.chained() && !l.recovering() {
		return
	}
	ticket, refused := l.admit(l.ctx, 0)
	switch {
	case refused != nil:
	case l.chained() && !ticket.Probe(): // the breakers have been closed meanwhile
		ticket.Done(undecided)
	default:
		ticket.Done(err)
	}
}
