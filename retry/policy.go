// Package retry decides whether another attempt is worth the while, and when.
//
// A [Policy] is plain configuration. The zero Policy is ready: three attempts, a backoff of 100 ms
// that doubles up to 5 s, full jitter. [Do] runs a function under a Policy and needs nothing else.
// The engine of this module uses a Policy through its [Schedule], which is pure: no lock, no
// goroutine, no clock. Time is an argument, and a seed makes the randomness repeat.
//
// The failing call has the last word. [Permanent] marks an error as hopeless, and [After] adds
// advice when to come back; advice is a floor under the wait and is never shortened. When a wait
// would outlive the caller's deadline, the policy gives up at once, instead of sleeping first and
// failing then.
package retry

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// The defaults of a Policy's zero fields.
const (
	defaultMaxAttempts = 3
	defaultBaseDelay   = 100 * time.Millisecond
	defaultMaxDelay    = 5 * time.Second
	defaultBackoff     = 2
)

// Policy says how often a failing call is tried and how long to wait between attempts. A zero field
// has the default that its comment names, and never means the number 0. The zero Policy is valid.
//
// A Policy is a value: copy a Policy freely, share a Policy between goroutines, and change no field
// while another goroutine reads the Policy. Every duration is in nanoseconds, at most math.MaxInt64
// (292 years).
type Policy struct {
	// MaxAttempts is the most attempts of a call, the first included: 1 never retries. Default 3.
	// Negative is invalid.
	MaxAttempts int

	// BaseDelay is the backoff before the first retry, before jitter. Default 100 ms, or MaxDelay
	// if MaxDelay is set and smaller. Negative is invalid; the shortest backoff is 1 ns.
	BaseDelay time.Duration

	// MaxDelay is the longest wait between two attempts. Backoff and jitter stay at or below
	// MaxDelay, and advice above MaxDelay (see [After]) ends the retries. Default 5 s, or BaseDelay
	// if BaseDelay is larger. Negative is invalid, and so is a MaxDelay below a BaseDelay that is
	// set.
	MaxDelay time.Duration

	// Backoff is the factor from each backoff to the next: the backoff before retry k is
	// min(BaseDelay × Backoff^(k-1), MaxDelay). 1 keeps the backoff constant. Default 2. Other
	// values below 1, NaN and infinities are invalid. [DecorrelatedJitter] grows by its own rule
	// and does not use Backoff.
	Backoff float64

	// Jitter spreads the backoff, so that callers that failed together do not come back together.
	// Default [FullJitter]; [NoJitter] switches jitter off.
	Jitter Jitter

	// Delay returns the wait after a failed attempt, in place of BaseDelay, Backoff and Jitter, which
	// must not be set then. attempt is the number of the attempt that failed, from 1, and err its
	// error without the outermost wrappers of [Permanent] and [After]. A wait above MaxDelay counts
	// as MaxDelay; advice is still a floor. A negative wait ends the retries, as RetryIf does. Delay
	// is called after RetryIf, on the same goroutine. Default: none.
	Delay func(attempt int, err error) time.Duration

	// MaxElapsed bounds the time from the beginning of the first attempt to the beginning of the
	// last. A retry that could not begin within MaxElapsed is not waited for: the retries end at
	// once. MaxElapsed does not interrupt a running attempt. Default: no bound. Negative is
	// invalid.
	MaxElapsed time.Duration

	// RetryIf reports whether an error is worth another attempt. Default: every error is. RetryIf
	// sees the error without the outermost wrappers of [Permanent] and [After], and never sees a
	// permanent error. RetryIf runs on the goroutine that wants the next attempt: many goroutines
	// call the RetryIf of a shared policy at once.
	RetryIf func(error) bool

	// Seed makes the jitter repeatable: with a Seed, call n of the policy (see [Policy.Schedule])
	// always draws the same numbers. Seed is for tests and replays. In a fleet, the same Seed for
	// all would synchronise the retries that jitter is there to spread. Default: random numbers.
	Seed uint64
}

// ConfigError names an invalid field of a [Policy].
type ConfigError struct {
	Field  string // name of the field, such as "MaxDelay"
	Value  any    // value of the field
	Reason string // rule that the value breaks, such as "must not be negative"
}

// Error returns a text with the field, its value and the rule.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("retry: Policy.%s = %v: %s", e.Field, e.Value, e.Reason)
}

// Validate returns nil if the policy can be used, else the [errors.Join] of a [*ConfigError] for
// each invalid field, in the order of the fields. Any goroutine may call Validate.
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
	if p.Delay != nil {
		const reason = "must not be set together with Delay"
		if p.BaseDelay > 0 {
			reject("BaseDelay", p.BaseDelay, reason)
		}
		if p.Backoff >= 1 {
			reject("Backoff", p.Backoff, reason)
		}
		if p.Jitter != FullJitter && p.Jitter.known() {
			reject("Jitter", p.Jitter, reason)
		}
	}
	if p.MaxElapsed < 0 {
		reject("MaxElapsed", p.MaxElapsed, "must not be negative")
	}
	return errors.Join(bad...)
}

// resolved replaces the zero fields of a valid policy by their defaults, so that 0 < BaseDelay <=
// MaxDelay and Backoff >= 1 hold. Resolving twice changes nothing.
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
