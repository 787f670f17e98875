package engine

import (
	"time"

	"github.com/limitpal/limitpal-go/retry"
)

// Verdict is an error that says itself what it means for the breaker and for retries. It is for functions that know more of how a
// call ended than Config.Classify can tell from an error, as adapters do: a 429 is no failure of the server, and is worth another attempt at
// the time that it names. It counts only if it is what fn returned, or what [Ticket.Done] was given, and not if it is wrapped;
// callers of the engine get Err. As ever, a call whose context was cancelled counts for nothing, and one whose deadline has passed is a failure.
type Verdict struct {
	Err     error         // how the call ended; not nil
	Outcome Outcome       // for the breaker. The zero Outcome is Success
	Final   bool          // not worth another attempt, as with retry.Permanent
	After   time.Duration // no attempt before that, as with retry.After; not negative
}

func (v *Verdict) Error() string { return v.Err.Error() }

// Unwrap gives Err.
func (v *Verdict) Unwrap() error { return v.Err }

// advised is err, a *Verdict among them, as the retry schedule wants it.
func advised(err error) error {
	v, ok := err.(*Verdict) //nolint:errorlint // only what fn itself returned is a verdict
	if !ok {
		return err
	}
	err = v.Err
	if v.Final {
		err = retry.Permanent(err)
	}
	if v.After > 0 {
		err = retry.After(err, v.After)
	}
	return err
}
