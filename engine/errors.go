package engine

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

var (
	// ErrClosed says that the engine is closed or closing.
	ErrClosed = errors.New("engine: closed")
	// ErrQueueFull says that as many callers wait for the key as Config.MaxQueue allows, in a chain as
	// many that came through the same narrower key.
	ErrQueueFull = guard.ErrQueueFull
	// ErrKeyLimit says that as many keys are known as Config.MaxKeys allows, and that every one of them
	// has callers in the queue or probes out or is forced, so that none could be forgotten.
	ErrKeyLimit = errors.New("engine: too many keys")
	// ErrCloseInGo says that Close was called inside a function that Go started, and did not wait for the
	// functions of Go that still ran. The engine is closed all the same.
	ErrCloseInGo = errors.New("engine: closed, but Close inside a function of Go does not wait for functions of Go")
	// ErrGoexit is the error of a call started by Go whose function called runtime.Goexit.
	ErrGoexit = errors.New("engine: the function called runtime.Goexit")
)

// Rejection is the engine's own refusal: fn was not called. A Rejection is no failure of the upstream:
// breakers ignore it, and neither this engine nor an engine around this one tries the call again.
//
// Callers may share a Rejection: do not change it.
type Rejection struct {
	// Engine is the Config.Name of the engine that refused.
	Engine string
	// Key is the key that was refused. In a chain it is the key of the chain that Engine guards.
	Key string
	// Stage is the stage that refused. It is empty after ErrClosed and after a panic.
	Stage Stage
	// Err is the reason: breaker.ErrOpen, limiter.ErrLimited, limiter.ErrExceedsCapacity, limiter.ErrInFlight, ErrQueueFull,
	// ErrKeyLimit, ErrClosed, or the panic that the key's actor had. Unwrap returns Err.
	Err error

	at  int64   // see until; below 0 if Force has opened the breaker
	eng *Engine // that refused
}

// never, as Rejection.at, is the end of a breaker that Force has opened for ever.
const never = math.MinInt64

// byHand returns Rejection.at for a breaker that Force has opened until the instant at.
func byHand(at int64) int64 {
	if at == 0 || at == guard.Never {
		return never
	}
	return -at
}

// until returns the instant of r.eng from which a retry would be admitted, or 0 if there is none.
func (r *Rejection) until() int64 {
	switch {
	case r.at == never:
		return 0
	case r.at < 0:
		return -r.at
	default:
		return r.at
	}
}

// reason returns Err or, for a breaker that Force has opened, guard.ErrForced.
func (r *Rejection) reason() error {
	if r.at < 0 {
		return guard.ErrForced
	}
	return r.Err
}

// RetryAfter is the time from now until breaker and limiter would both let this call pass if nothing
// else came: behind all callers that waited when the call was refused, and not before the breaker lets
// a probe through. In a chain that holds for all keys together. RetryAfter is 0 if waiting would not
// help or nothing is known, as for ErrInFlight, ErrExceedsCapacity, ErrClosed and a breaker that [Engine.Force] has
// opened for ever. Otherwise RetryAfter is at least 1 ns, also if the instant has passed.
func (r *Rejection) RetryAfter() time.Duration {
	at := r.until()
	if at == 0 {
		return 0
	}
	return time.Duration(max(1, at-r.eng.system.Now()))
}

// Limited reports whether the limiter refused: the caller asks for more than its share. After any
// other reason (breaker, queue, number of keys, shutdown) the fault is not the caller's. HTTP answers
// 429 if Limited, and else 503.
func (r *Rejection) Limited() bool {
	return errors.Is(r.Err, limiter.ErrLimited) || errors.Is(r.Err, limiter.ErrExceedsCapacity)
}

// Stage names a stage of an engine.
type Stage string

// The stages.
const (
	BreakerStage  Stage = "breaker"
	LimiterStage  Stage = "limiter"
	InFlightStage Stage = "in_flight" // no place is free: Config.Concurrency
	QueueStage    Stage = "queue"     // of the callers that wait for the limiter: Config.MaxQueue
	KeysStage     Stage = "keys"      // the number of keys: Config.MaxKeys
)

// stageOf returns the stage that a reason belongs to.
func stageOf(reason error) Stage {
	switch reason {
	case breaker.ErrOpen, guard.ErrForced: //nolint:errorlint // made by the stages, never wrapped
		return BreakerStage
	case limiter.ErrLimited, limiter.ErrExceedsCapacity:
		return LimiterStage
	case limiter.ErrInFlight:
		return InFlightStage
	case ErrQueueFull:
		return QueueStage
	case ErrKeyLimit:
		return KeysStage
	default:
		return ""
	}
}

// Error names the engine if it has a name, and the key, of which it shows at most 64 bytes, the reason, and RetryAfter if that is at
// least 1 ms.
func (r *Rejection) Error() string {
	name := "engine"
	if r.Engine != "" {
		name += " " + r.Engine
	}
	if after := r.RetryAfter(); after >= time.Millisecond {
		return fmt.Sprintf("%s: key %s: %v (retry after %v)", name, shown(r.Key), r.reason(), after.Round(time.Millisecond))
	}
	return fmt.Sprintf("%s: key %s: %v", name, shown(r.Key), r.reason())
}

// Unwrap returns the reason.
func (r *Rejection) Unwrap() error { return r.Err }

// StoppedError reports that a failed call was to be tried again and that no further attempt began.
// errors.Is finds Reason and Last. An engine around this one judges a StoppedError by Last, and does
// not try the call again if Reason is a *Rejection.
type StoppedError struct {
	// Reason is why no further attempt began: a *Rejection, or the error of the call's context.
	Reason error
	// Last is the error of the last attempt.
	Last error
}

// Error gives the reason and the last error.
func (e *StoppedError) Error() string {
	return fmt.Sprintf("%v; the last attempt failed: %v", e.Reason, e.Last)
}

// Unwrap returns Reason and Last.
func (e *StoppedError) Unwrap() []error { return []error{e.Reason, e.Last} }

// isRejection reports whether err is or holds a refusal of this or another engine.
func isRejection(err error) bool {
	_, ok := errors.AsType[*Rejection](err)
	return ok
}

// errLate stands for the end of a call whose next attempt cannot begin within MaxElapsed.
var errLate = errors.New("engine: too late for another attempt")

// isLate reports whether err says that an attempt could not have begun by end: it is errLate, or the
// limiter's refusal until after end, an instant of e.
func (e *Engine) isLate(err error, end int64) bool {
	if err == errLate { //nolint:errorlint // never wrapped
		return true
	}
	r, ok := errors.AsType[*Rejection](err)
	if !ok || !r.Limited() || r.at == 0 {
		return false
	}
	at := r.at
	if r.eng != e { // instants of engines cannot be compared, durations can
		at = guard.Later(e.system.Now(), r.at-r.eng.system.Now())
	}
	return at > end
}

// failureIn returns the part of err that a breaker is to judge, without the marks of package retry: the
// last error of a *StoppedError, and else err. refused reports whether err says that nothing was
// called.
func failureIn(err error) (failure error, refused bool) {
	for {
		err = retry.Strip(err)
		s, ok := err.(*StoppedError) //nolint:errorlint // a wrapper around one is for Classify to see
		if !ok {
			return err, onlyRefusals(err)
		}
		err = s.Last
	}
}

// onlyRefusals reports whether every branch of err says that nothing was called.
func onlyRefusals(err error) bool {
	switch err := err.(type) { //nolint:errorlint // the branches are followed one by one
	case *Rejection, *leftError:
		return true
	case *StoppedError:
		return onlyRefusals(err.Last)
	case interface{ Unwrap() []error }:
		branches := err.Unwrap()
		return len(branches) > 0 && !slices.ContainsFunc(branches, func(err error) bool { return !onlyRefusals(err) })
	case interface{ Unwrap() error }:
		if inner := err.Unwrap(); inner != nil {
			return onlyRefusals(inner)
		}
	}
	return err != nil && isRejection(err) // a list may show its members to errors.As alone
}

// longestShown is how many bytes of a key an error text shows.
const longestShown = 64

// beginning is key, or its beginning and its length.
func beginning(key string) string {
	if len(key) <= longestShown {
		return key
	}
	return fmt.Sprintf("%s... (%d bytes)", key[:longestShown], len(key))
}

// shown is key in quotes for an error text: all of it, or its beginning and its length.
func shown(key string) string {
	if len(key) <= longestShown {
		return strconv.Quote(key)
	}
	return fmt.Sprintf("%q... (%d bytes)", key[:longestShown], len(key))
}
