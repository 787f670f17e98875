package retry

import (
	"errors"
	"fmt"
	"time"
)

// ExhaustedError reports that a call kept failing until the policy ended it:
// the attempts were used up, or there was no time left for the next one. It is
// always a pointer; find it with errors.AsType[*ExhaustedError](err).
type ExhaustedError struct {
	Attempts int   // how often the call was tried, the first time included
	Err      error // what the last attempt returned, without its wrappers
}

// Error gives the number of attempts and the last error.
func (e *ExhaustedError) Error() string {
	if e.Attempts == 1 {
		return fmt.Sprintf("retry: gave up after 1 attempt: %v", e.Err)
	}
	return fmt.Sprintf("retry: gave up after %d attempts: %v", e.Attempts, e.Err)
}

// Unwrap gives the last error, so that errors.Is and errors.AsType find it.
func (e *ExhaustedError) Unwrap() error { return e.Err }

// Permanent marks err as one that no further attempt can cure. The retries end
// and the caller gets err itself, the very same value. If the mark is wrapped in
// turn, by fmt.Errorf with %w or errors.Join, it still ends the retries and the
// caller gets the outer error as it is. It beats any advice in the same error.
// Permanent(nil) is nil. Any goroutine may call it.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &hint{err: err, advice: advice{permanent: true}}
}

// After adds the failing side's advice to err: do not come back before d has
// passed, as in an HTTP Retry-After. It is a floor under the next wait: the
// jittered backoff counts if it is longer, and the advice is never shortened.
// If it exceeds [Policy.MaxDelay], or leads past [Policy.MaxElapsed] or to the
// caller's deadline, the retries end at once. A negative d counts as 0, and the
// longest advice in an error counts. After(nil, d) is nil. Any goroutine may
// call it.
func After(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &hint{err: err, advice: advice{after: max(d, 0)}}
}

// Strip removes the outermost wrappers of [Permanent] and [After] from err. It
// is for callers who run a [Schedule] themselves: everything that Next returns
// is stripped already, but the last error of a call that ends for another
// reason is not. Wrappers further inside stay. Any goroutine may call it.
func Strip(err error) error {
	for {
		h, ok := err.(*hint) //nolint:errorlint // only the outermost wrappers are ours to remove
		if !ok {
			return err
		}
		err = h.err
	}
}

// hint is an error that carries advice to the retry loop, and nothing else: it
// reads like the error within.
type hint struct {
	err    error
	advice advice
}

func (h *hint) Error() string { return h.err.Error() }
func (h *hint) Unwrap() error { return h.err }

// As hands the advice over when adviceOf passes by. It never claims a match, so
// errors.As goes on and visits every branch.
func (h *hint) As(target any) bool {
	if all, ok := target.(*advice); ok {
		all.permanent = all.permanent || h.advice.permanent
		all.after = max(all.after, h.advice.after)
	}
	return false
}

// advice is what all the hints in an error say together.
type advice struct {
	permanent bool
	after     time.Duration
}

// Error makes advice a legal target of errors.As; nobody sees the text.
func (advice) Error() string { return "retry: advice" }

// adviceOf collects the advice in err. It goes through errors.As, and not
// through Unwrap by hand, because error lists in the wild (go-multierror among
// them) show their members only to errors.As.
func adviceOf(err error) advice {
	var all advice
	errors.As(err, &all)
	return all
}
