// Package limiter decides whether work may start now and, if not, when.
//
// A [TokenBucket] allows bursts up to its capacity and a steady rate after that. A [LeakyBucket]
// lets calls out at a steady pace. A [FixedWindow] counts calls as a provider counts its quota, from
// minute to minute or from midnight to midnight. [All] combines several limits, and a call passes all of
// them or none. The engine takes a [Limiter] as engine.Config.Limiter and keeps one state for every key. An
// [InFlight], which bounds how many calls run at the same time, is for engine.Config.Concurrency.
//
// No period of any length admits more than capacity + rate × time of a bucket. Rounding withholds less
// than 1 ns per token. No window of a FixedWindow admits more than Max.
//
// # The arithmetic
//
// A program that uses the engine needs nothing below this line. The package is pure arithmetic: no
// lock, no goroutine, no clock. [Compile] turns a Limiter into [Limits]. The state of a limit is
// one int64, a full-at: the instant in nanoseconds at which the bucket is full again. That is the
// generic cell rate algorithm (ITU-T I.371, 2004) in its virtual scheduling form. A FixedWindow is such
// a bucket that sees each window as one instant, see [Limit.Seen]. An [Effect] combines any number of
// callers that wait for several buckets.
package limiter

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrLimited says that the limit lets no call pass now.
	ErrLimited = errors.New("limiter: limited")
	// ErrExceedsCapacity says that a call asked for more tokens than the bucket can ever hold, so
	// that no wait would help.
	ErrExceedsCapacity = errors.New("limiter: more than the capacity")
)

// Unlimited lets every call pass: the limit of a key that has none.
var Unlimited Limiter = unlimited{}

// Limiter is a [TokenBucket], a [LeakyBucket], a [FixedWindow], [Unlimited] or the result of [All]. The interface is
// sealed: no other package can implement Limiter.
type Limiter interface {
	// Validate returns nil if every field can be used, and else an error that joins one
	// *[ConfigError] for every bad field.
	Validate() error
	// compile appends the limits of the limiter to a list, and calls bad for every bad field. The
	// path of the limiter goes before the field's name.
	compile(to Limits, path string, bad func(*ConfigError)) Limits
}

// Status describes one limit of a key at one instant.
type Status struct {
	// Available is the number of tokens (of a leaky bucket: free places), fractions included, from
	// 0 to the capacity.
	Available float64
	// Queued is the number of tokens that waiting callers have asked for. Of a leaky bucket, Queued
	// is the number of places taken, by waiting callers and by calls that have not leaked out.
	Queued int
	// Wait is how long a new call for one token would wait, behind all waiting callers. With a
	// [FixedWindow] and callers that wait for several tokens, or beside other limits, it may be longer.
	Wait time.Duration
	// Ends is, for a [FixedWindow], how long it takes until the window ends and the next begins; else 0.
	Ends time.Duration
}

// ConfigError says that a field of a limiter cannot be used, and why.
type ConfigError struct {
	Field  string // "Capacity", or "[1].Capacity" for the second member of an All
	Value  any    // the value of the field
	Reason string // why the value is bad, and the bound
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("limiter: %s = %v: %s", e.Field, e.Value, e.Reason)
}

// Compile returns the limits of l: one for a bucket, several for an [All], none for [Unlimited]. The error joins one
// *[ConfigError] for every bad field.
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

// isNil reports whether there is no limiter in l. A nil pointer to a bucket is a Limiter that is
// not nil itself.
func isNil(l Limiter) bool {
	switch l := l.(type) {
	case nil:
		return true
	case *TokenBucket:
		return l == nil
	case *LeakyBucket:
		return l == nil
	case *FixedWindow:
		return l == nil
	default:
		return false
	}
}

type unlimited struct{}

// Validate returns nil.
func (unlimited) Validate() error { return nil }

// String returns "unlimited".
func (unlimited) String() string { return "unlimited" }

func (unlimited) compile(to Limits, _ string, _ func(*ConfigError)) Limits { return to }
