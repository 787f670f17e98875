// Package limiter decides whether work may start now and, if not, when.
//
// A [TokenBucket] allows bursts up to its capacity and a steady rate after that. A [LeakyBucket] lets work out at a
// steady pace, one at a time. [All] demands that several limits agree, all or nothing.
//
// The package is pure arithmetic: no lock, no goroutine, no clock. A limiter is a description; hand it to engine.Config,
// which keeps one state of it for every key. Whoever wants the arithmetic alone calls [Compile].
//
// Everything is counted in whole nanoseconds (the generic cell rate algorithm, ITU-T I.371, in its virtual scheduling
// form): a bucket is one 64-bit word, the instant at which it is full again. So no window of any length ever admits
// more than capacity + rate × time, and what the rounding withholds is below 1 ns per token. (A rate given as a float64, to
// [PerSecond], is taken for what the quotient of two float64 is.)
package limiter

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrLimited says that the limit does not allow the call now.
	ErrLimited = errors.New("limiter: limited")
	// ErrExceedsCapacity says that more was asked for at once than the bucket can ever hold, so no wait would help.
	ErrExceedsCapacity = errors.New("limiter: more than the capacity")
)

// Limiter is a [TokenBucket], a [LeakyBucket] or what [All] makes of several. It is sealed: its methods are for this
// package alone, and the engine works on its compiled form.
type Limiter interface {
	// Validate returns nil or every bad field joined into one error, a *ConfigError each.
	Validate() error
	// compile appends the limiter's limits, or says through bad what is wrong with it. path leads to it, for errors.
	compile(to Limits, path string, bad func(*ConfigError)) Limits
}

// Status is what one limit shows of a key at one instant.
type Status struct {
	// Available is how many tokens (places, for a leaky bucket) are free, fractions included; at least 0.
	Available float64
	// Queued is how many tokens the callers that wait have asked for; for a leaky bucket the places that are taken, by
	// those that wait and by what has not leaked out yet.
	Queued int
	// Wait is how long a call for one token that came now would wait, behind all that wait already.
	Wait time.Duration
}

// ConfigError names a field that cannot be used, its value and why.
type ConfigError struct {
	Field  string // "Capacity", or "[1].Capacity" for the second member of an All
	Value  any
	Reason string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("limiter: %s = %v: %s", e.Field, e.Value, e.Reason)
}

// Compile checks l and returns the limits that it stands for, several for an [All].
func Compile(l Limiter) (Limits, error) {
	if isNil(l) {
		return nil, &ConfigError{Field: "Limiter", Value: nil, Reason: "must not be nil"}
	}
	var errs []error
	limits := l.compile(nil, "", func(e *ConfigError) { errs = append(errs, e) })
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return limits, nil
}

func validate(l Limiter) error {
	_, err := Compile(l)
	return err
}

// isNil reports whether there is no limiter in l. Limiters are values, but a pointer to one is a Limiter too.
func isNil(l Limiter) bool {
	switch l := l.(type) {
	case nil:
		return true
	case *TokenBucket:
		return l == nil
	case *LeakyBucket:
		return l == nil
	default:
		return false
	}
}
