package engine

import (
	"time"

	"github.com/limitpal/limitpal-go/retry"
)

// Verdict is an error that states its own meaning for the breaker and for retries. A Verdict is for
// functions that know more about the end of a call than Config.Classify can tell from an error, as
// adapters do: a 429 is no failure of the server, and is worth another attempt at the time that the
// answer names.
//
// A Verdict counts only if it is the very error that fn returned or that [Ticket.Done] was given,
// and not if it is wrapped. Callers of the engine get Err. Success and Ignore hold in any state of
// the caller's context; a Failure counts for nothing if the context was cancelled.
type Verdict struct {
	Err     error         // how the call ended; nil only if Outcome is Success
	Outcome Outcome       // for the breaker; the zero Outcome is Success
	Final   bool          // not worth another attempt, as with retry.Permanent
	After   time.Duration // no attempt before that, as with retry.After; 0: no advice; not negative

	// OpenFor is how long the upstream asks to be left alone: if the end counts as a Failure for
	// the breaker of an engine, that Failure opens the breaker for OpenFor, however few came
	// before. OpenFor is for engines that allow it by a breaker.Policy with MaxRecovery, counts as
	// MaxRecovery at most, and means nothing to other engines. If the Failure was to open the
	// breaker anyway, the longer of both times holds. 0 and below: the upstream does not ask.
	OpenFor time.Duration

	// Keep, if not nil, takes over the place and the context of the call: see [Hold]. If another attempt may follow,
	// since Err is not nil, Final is false and there is a Config.Retry, Keep takes over the context alone: the next
	// attempt needs the place.
	Keep *Hold
}

// Error returns the text of Err.
func (v *Verdict) Error() string {
	if v.Err == nil {
		return "engine: success"
	}
	return v.Err.Error()
}

// Unwrap returns Err.
func (v *Verdict) Unwrap() error { return v.Err }

// advised returns err, or the error of a *Verdict, marked for the retry schedule.
func advised(err error) error {
	v, ok := err.(*Verdict) //nolint:errorlint // only an error that fn itself returned is a verdict
	if !ok {
		return err
	}
	if err = v.Err; err == nil {
		return nil
	}
	if v.Final {
		err = retry.Permanent(err)
	}
	if v.After > 0 {
		err = retry.After(err, v.After)
	}
	return err
}

// wishIn returns the OpenFor of err, the end of an attempt, if err is a *Verdict.
func wishIn(err error) time.Duration {
	if err == nil {
		return 0
	}
	err, _ = failureIn(err)
	if v, ok := err.(*Verdict); ok { //nolint:errorlint // as in judge
		return v.OpenFor
	}
	return 0
}
