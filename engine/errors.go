package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/limitpal/limitpal-go/limiter"
)

var (
	// ErrClosed says that the engine is closed or closing.
	ErrClosed = errors.New("engine: closed")
	// ErrQueueFull says that as many callers wait for the key as Config.MaxQueue allows.
	ErrQueueFull = errors.New("engine: queue full")
	// ErrKeyLimit says that as many keys are known as Config.MaxKeys allows, and that those looked at have callers in the queue or
	// probes out, so that none could be forgotten.
	ErrKeyLimit = errors.New("engine: too many keys")
	// ErrGoexit is the error of a call started by Go whose function ended its goroutine with runtime.Goexit.
	ErrGoexit = errors.New("engine: the function called runtime.Goexit")
)

// Rejection is the engine's own refusal: fn was not called. It is no failure of what fn calls, so that breakers ignore it
// and it is not retried, here or in an engine around this one.
//
// A Rejection may be shared between callers: do not change it.
type Rejection struct {
	// Key is the key that was refused.
	Key string
	// Err is the reason, and what Unwrap gives: breaker.ErrOpen, limiter.ErrLimited, limiter.ErrExceedsCapacity,
	// ErrQueueFull, ErrKeyLimit, ErrClosed, or what ails the key's actor.
	Err error

	at  int64        // the instant from which a retry would be admitted
	now func() int64 // nil when there is no such instant
}

// RetryAfter is how long it is, from now, until this call would be admitted if nothing else came: when the next token is
// there for it behind all that waited when it was refused, or when the breaker lets a probe through. It is 0 when waiting would not help
// or nothing is known, as for ErrExceedsCapacity and ErrClosed, and else at least 1 ns, also when that instant has come meanwhile.
func (r *Rejection) RetryAfter() time.Duration {
	if r.now == nil {
		return 0
	}
	return time.Duration(max(1, r.at-r.now()))
}

// Limited reports whether it was the limiter that refused, so that the caller asks for more than its share. After any other reason
// (breaker, queue, number of keys, shutdown) the fault is not the caller's. HTTP answers 429 to the one and 503 to the other.
func (r *Rejection) Limited() bool {
	return errors.Is(r.Err, limiter.ErrLimited) || errors.Is(r.Err, limiter.ErrExceedsCapacity)
}

func (r *Rejection) Error() string {
	if after := r.RetryAfter(); after >= time.Millisecond {
		return fmt.Sprintf("engine: key %q: %v (retry after %v)", r.Key, r.Err, after.Round(time.Millisecond))
	}
	return fmt.Sprintf("engine: key %q: %v", r.Key, r.Err)
}

// Unwrap gives the reason.
func (r *Rejection) Unwrap() error { return r.Err }

// isRejection reports whether err is or contains a refusal of this or another engine.
func isRejection(err error) bool {
	_, ok := errors.AsType[*Rejection](err)
	return ok
}

// afterFailure is the error of a call that was to be tried again, its last attempt having failed with last, when err came
// in between.
func afterFailure(err, last error) error {
	return fmt.Errorf("%w; the last attempt failed: %w", err, last)
}
