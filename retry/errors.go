package retry

import (
	"errors"
	"fmt"
	"time"
)

// ExhaustedError reports that a call kept failing until the attempts were used up or no time was
// left for another attempt. [Do] and [Schedule.Next] return a pointer; find the pointer with
// errors.AsType[*ExhaustedError](err).
type ExhaustedError struct {
	Attempts int   // attempts made, at least 1; the first counts too
	Err      error // error of the last attempt, without its outermost wrappers; not nil

	// Reason is why the call's context had ended when the call gave up, as documented at [Do]; nil if the
	// context was alive. [Schedule.Next], which knows no context, sets none.
	Reason error
}

// Error returns a text with the number of attempts and the last error.
func (e *ExhaustedError) Error() string {
	if e.Attempts == 1 {
		return fmt.Sprintf("retry: gave up after 1 attempt: %v", e.Err)
	}
	return fmt.Sprintf("retry: gave up after %d attempts: %v", e.Attempts, e.Err)
}

// Unwrap returns the last error.
func (e *ExhaustedError) Unwrap() error { return e.Err }

// Is reports whether target is in Reason, so that errors.Is finds ctx.Err() and context.Cause(ctx)
// after a deadline that passed during the last attempt.
func (e *ExhaustedError) Is(target error) bool { return e.Reason != nil && errors.Is(e.Reason, target) }

// Permanent marks err as hopeless: no further attempt can cure err. The retries end and the caller
// gets err itself, the very same value. If the mark is wrapped in turn, by fmt.Errorf with %w or by
// errors.Join, the retries end as well and the caller gets the outer error unchanged. Permanent
// beats any advice in the same error. Permanent(nil) is nil. Any goroutine may call Permanent.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &hint{err: err, advice: advice{permanent: true}}
}

// After adds advice to err: the next attempt must not begin before d, in nanoseconds, has passed,
// as with an HTTP Retry-After. Advice is a floor under the next wait: a longer jittered backoff
// counts, and advice is never shortened. If the advice exceeds [Policy.MaxDelay], leads past
// [Policy.MaxElapsed] or reaches the caller's deadline, the retries end at once. A negative d
// counts as 0. Of several pieces of advice in an error, the longest counts. After(nil, d) is nil.
// Any goroutine may call After.
func After(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &hint{err: err, advice: advice{after: max(d, 0)}}
}

// Strip removes the outermost wrappers of [Permanent] and [After] from err; wrappers further inside
// stay. Strip is for callers that run a [Schedule] themselves: every error that Next returns is
// stripped already, but the last error of a call that ends for another reason is not. Strip(nil) is
// nil. Any goroutine may call Strip.
func Strip(err error) error {
	for {
		h, ok := err.(*hint) //nolint:errorlint // only the outermost wrappers are ours to remove
		if !ok {
			return err
		}
		err = h.err
	}
}

// hint is an error that carries advice to the retry loop. The text of a hint is the text of the
// error within.
type hint struct {
	err    error
	advice advice
}

func (h *hint) Error() string { return h.err.Error() }
func (h *hint) Unwrap() error { return h.err }

// As hands the advice to adviceOf. As never claims a match, so that errors.As goes on and visits
// every branch.
func (h *hint) As(target any) bool {
	if all, ok := target.(*advice); ok {
		all.permanent = all.permanent || h.advice.permanent
		all.after = max(all.after, h.advice.after)
	}
	return false
}

// advice is the sum of all hints in an error.
type advice struct {
	permanent bool
	after     time.Duration
}

// Error makes advice a legal target of errors.As. No user sees the text.
func (advice) Error() string { return "retry: advice" }

// adviceOf collects the advice in err. adviceOf uses errors.As and not Unwrap, because some error
// lists, such as go-multierror, show their members only to errors.As.
func adviceOf(err error) advice {
	var all advice
	errors.As(err, &all)
	return all
}
