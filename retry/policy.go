// Package retry answers one question: is another attempt worth it, and when.
//
// A [Policy] is plain configuration; its zero value is ready: three attempts,
// 100 ms doubling up to 5 s, full jitter. [Do] runs a function under a policy
// and needs nothing else. The engine of this module uses a policy through its
// [Schedule], which is pure: no lock, no goroutine, no clock. Time is an
// argument and a seed makes the randomness repeat.
//
// The failing call has the last word. It marks an error as hopeless with
// [Permanent], or says when to come back with [After]; that advice is a floor,
// which is never shortened. When waiting would outlive the caller's deadline,
// the policy gives up at once instead of sleeping first and failing then.
package retry

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// What the zero fields of a Policy mean.
const (
	defaultMaxAttempts = 3
	defaultBaseDelay   = 100 * time.Millisecond
	defaultMaxDelay    = 5 * time.Second
	defaultBackoff     = 2
)

// Policy says how often a failing call is tried and how long to wait between
// attempts. It is a value: copy it freely, share it between goroutines, and do
// not change it while others read it. The zero Policy is valid.
type Policy struct {
	// MaxAttempts is how often the call is tried, the first time included: 1
	// never retries. 0 means 3. Negative is invalid.
	MaxAttempts int

	// BaseDelay is the backoff before the first retry, before jitter. 0 means
	// 100 ms, or MaxDelay where that is set and smaller. Negative is invalid.
	BaseDelay time.Duration

	// MaxDelay is the longest wait between two attempts: backoff and jitter
	// stay at or below it, and advice (see [After]) above it ends the retries.
	// 0 means the larger of 5 s and BaseDelay. Negative, or smaller than a
	// BaseDelay that is set, is invalid.
	MaxDelay time.Duration

	// Backoff is the factor from one backoff to the next: the backoff before
	// retry k is min(BaseDelay × Backoff^(k-1), MaxDelay). 1 keeps it constant,
	// 0 means 2. Other values below 1, NaN and infinities are invalid.
	// [DecorrelatedJitter] grows by its own rule and does not use it.
	Backoff float64

	// Jitter spreads the backoff so that callers who failed together do not
	// come back together. The zero value is [FullJitter].
	Jitter Jitter

	// MaxElapsed bounds the time from the start of the first attempt to the
	// start of the last: a retry that would begin later is not made. It does
	// not interrupt an attempt that is running. 0 means no bound. Negative is
	// invalid.
	MaxElapsed time.Duration

	// RetryIf reports whether the error is worth another attempt; nil means
	// that every error is. It sees the error without the outermost wrappers of
	// [Permanent] and [After], is not asked about a permanent error, and runs
	// on the goroutine that asked for the next attempt. It is called from many
	// goroutines at once if the policy is shared.
	RetryIf func(error) bool

	// Seed makes the jitter repeatable: with a Seed, call n of the policy (see
	// [Policy.Schedule]) always draws the same numbers. It is for tests and
	// replays; in a fleet one seed for all would synchronise the retries that
	// jitter is there to spread. 0 means random.
	Seed uint64
}

// ConfigError names one invalid field of a [Policy].
type ConfigError struct {
	Field  string // name of the field, such as "MaxDelay"
	Value  any    // what it was set to
	Reason string // what it must be instead
}

// Error gives the field, its value and what the value must be.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("retry: Policy.%s = %v: %s", e.Field, e.Value, e.Reason)
}

// Validate returns nil if the policy can be used, else the [errors.Join] of one
// [*ConfigError] for each invalid field, in the order of the fields.
func (p Policy) Validate() error {
	var bad []error
	reject := func(field string, value any, reason string) {
		bad = append(bad, &ConfigError{Field: field, Value: value, Reason: reason})
	}
	if p.MaxAttempts < 0 {
		reject("MaxAttempts", p.MaxAttempts, "must not be negative")
	}
	if p.BaseDelay < 0 {
		reject("BaseDelay", p.BaseDelay, "must not be negative")
	}
	switch {
	case p.MaxDelay < 0:
		reject("MaxDelay", p.MaxDelay, "must not be negative")
	case p.MaxDelay > 0 && p.MaxDelay < p.BaseDelay:
		reject("MaxDelay", p.MaxDelay, fmt.Sprintf("must be at least BaseDelay (%v)", p.BaseDelay))
	}
	switch {
	case math.IsNaN(p.Backoff) || math.IsInf(p.Backoff, 0):
		reject("Backoff", p.Backoff, "must be finite")
	case p.Backoff != 0 && p.Backoff < 1:
		reject("Backoff", p.Backoff, "must be at least 1")
	}
	if !p.Jitter.known() {
		reject("Jitter", p.Jitter, "must be FullJitter, NoJitter, EqualJitter or DecorrelatedJitter")
	}
	if p.MaxElapsed < 0 {
		reject("MaxElapsed", p.MaxElapsed, "must not be negative")
	}
	return errors.Join(bad...)
}

// resolved replaces the zero fields of a valid policy by what they mean, so
// that 0 < BaseDelay <= MaxDelay and Backoff >= 1 hold from here on. Resolving
// twice changes nothing.
func (p Policy) resolved() Policy {
	if p.MaxAttempts == 0 {
		p.MaxAttempts = defaultMaxAttempts
	}
	if p.BaseDelay == 0 {
		p.BaseDelay = defaultBaseDelay
		if p.MaxDelay > 0 {
			p.BaseDelay = min(p.BaseDelay, p.MaxDelay)
		}
	}
	if p.MaxDelay == 0 {
		p.MaxDelay = max(defaultMaxDelay, p.BaseDelay)
	}
	if p.Backoff == 0 {
		p.Backoff = defaultBackoff
	}
	return p
}
