package enginehttp

import (
	"context"
	"errors"

	"github.com/limitpal/limitpal-go/engine"
)

// send makes the attempts at a request whose body is perhaps yet to be sent by a client.
func (a *attempts) send(s *subject) error {
	probing := false
	if a.req.GetBody == nil || s.recovering() {
		return a.upload(s)
	}
	err := s.run(a.req.Context(), func(ctx context.Context) error {
		if probing = s.probing(ctx); probing {
			return undecided // a leave of Run cannot go back before the attempt has ended
		}
		return a.once(ctx)
	})
	if !probing {
		return err
	}
	if err = a.upload(s); a.lease == nil && a.err != nil { // refused, after an attempt that failed
		return &engine.StoppedError{Reason: err, Last: a.err}
	}
	return err
}

// upload makes one attempt under a lease, without another to follow.
func (a *attempts) upload(s *subject) error {
	ctx := a.req.Context()
	ticket, err := s.admitPatiently(ctx)
	if err != nil {
		return err
	}
	a.lease = newLease(ctx, s, ticket)
	end := panicked
	defer func() { a.lease.done(end) }()
	end = a.once(ticket.Context())
	if v, ok := end.(*engine.Verdict); ok { //nolint:errorlint // made by once
		return v.Err
	}
	return end
}

// panicked is the end of an attempt that does not return.
var panicked error = &engine.Verdict{Err: errors.New("enginehttp: Base panicked"), Outcome: engine.Failure}
