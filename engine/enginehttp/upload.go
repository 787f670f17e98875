package enginehttp

import (
	"context"
	"errors"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// send makes the attempts at a request whose body is perhaps yet to be sent by a client.
func (a *attempts) send(key string, patience time.Duration) error {
	eng, probing := a.transport.Engine, false
	if a.req.GetBody == nil || patience > 0 && recovering(eng, key) {
		return a.upload(key, patience)
	}
	err := eng.Run(a.req.Context(), key, func(ctx context.Context) error {
		if probing = patience > 0 && recovering(eng, key); probing {
			return undecided // a leave of Run cannot go back before the attempt has ended
		}
		return a.once(ctx)
	})
	if !probing {
		return err
	}
	if err = a.upload(key, patience); a.lease == nil && a.err != nil { // refused, after an attempt that failed
		return &engine.StoppedError{Reason: err, Last: a.err}
	}
	return err
}

// upload makes one attempt under a lease, without another to follow.
func (a *attempts) upload(key string, patience time.Duration) error {
	ctx, eng := a.req.Context(), a.transport.Engine
	ticket, err := eng.Admit(ctx, key)
	if err != nil {
		return err
	}
	a.lease = &lease{ctx: ctx, eng: eng, key: key, ticket: ticket, patience: patience}
	end := panicked
	defer func() { a.lease.done(end) }()
	end = a.once(ctx)
	if v, ok := end.(*engine.Verdict); ok { //nolint:errorlint // made by once
		return v.Err
	}
	return end
}

// panicked is the end of an attempt that does not return.
var panicked error = &engine.Verdict{Err: errors.New("enginehttp: Base panicked"), Outcome: engine.Failure}
