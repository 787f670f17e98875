// Package breaker decides when to stop calling what keeps failing, and when to try again.
//
// The circuit breaker (Michael Nygard, "Release It!", 2007) has three states. Closed: calls pass, consecutive failures
// are counted. Open: calls are refused, until the recovery timeout has passed. Half-open: a few calls, the probes, are let
// through; if they succeed it closes, if one fails it opens again.
//
// The package is a pure state machine: no lock, no goroutine, no clock. A [Policy] is a description; hand it to
// engine.Config, which keeps one [Circuit] for every key. Whoever wants the machine alone calls [Policy.Rules].
package breaker

import (
	"errors"
	"fmt"
	"time"
)

// ErrOpen says that the breaker lets no call through now.
var ErrOpen = errors.New("breaker: open")

// Policy says when a breaker opens and how it recovers. The zero Policy is the documented defaults.
type Policy struct {
	// FailureThreshold is how many failures in a row open the breaker; a success starts the count anew. Default 5.
	FailureThreshold int
	// RecoveryTimeout is how long the breaker stays open before it lets a probe through. Default 5 s.
	RecoveryTimeout time.Duration
	// HalfOpenSuccesses is how many probes must succeed to close it. One failure opens it again. Default 1.
	HalfOpenSuccesses int
	// HalfOpenProbes is how many probes may be in flight at once. Default 1.
	HalfOpenProbes int
	// ProbeTimeout is how long a probe may take. After that it counts as a failure, whatever becomes of it, so that a probe
	// that hangs or is forgotten cannot hold the breaker half-open. Default 30 s.
	ProbeTimeout time.Duration
	// ForgetAfter is how long after the last outcome a breaker is as good as new: its counted failures, and a recovery
	// that nobody tried, are forgotten. A ForgetAfter of at most RecoveryTimeout therefore closes the breaker when the
	// recovery timeout has passed, without a probe. Default: the larger of 1 min and 10 × RecoveryTimeout.
	ForgetAfter time.Duration
}

// ConfigError names a field that cannot be used, its value and why.
type ConfigError struct {
	Field  string
	Value  any
	Reason string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("breaker: %s = %v: %s", e.Field, e.Value, e.Reason)
}

// maxDuration bounds every duration of a policy (73 years), so that sums of instants fit in an int64.
const maxDuration = time.Duration(1 << 61)

// Validate returns nil or every bad field joined into one error, a *ConfigError each. No field may be negative, no
// duration longer than 2^61 ns (73 years); 0 means the default.
func (p Policy) Validate() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value int
	}{
		{"FailureThreshold", p.FailureThreshold},
		{"HalfOpenSuccesses", p.HalfOpenSuccesses},
		{"HalfOpenProbes", p.HalfOpenProbes},
	} {
		if f.value < 0 {
			errs = append(errs, &ConfigError{f.name, f.value, "must not be negative (0 is the default)"})
		}
	}
	for _, f := range []struct {
		name  string
		value time.Duration
	}{
		{"RecoveryTimeout", p.RecoveryTimeout},
		{"ProbeTimeout", p.ProbeTimeout},
		{"ForgetAfter", p.ForgetAfter},
	} {
		switch {
		case f.value < 0:
			errs = append(errs, &ConfigError{f.name, f.value, "must not be negative (0 is the default)"})
		case f.value > maxDuration:
			errs = append(errs, &ConfigError{f.name, f.value, "must be at most 2^61 ns (73 years)"})
		}
	}
	return errors.Join(errs...)
}

// Rules is a [Policy] with its defaults filled in, ready for use by any number of circuits. Make it with [Policy.Rules].
type Rules struct {
	threshold, successes, probes int
	recovery, lease, forget      int64 // ns
	generation                   func() uint64
}

// Rules returns the compiled form of p, which must be valid. generation must answer a number above 0 that it never
// answered before; circuits that share it never have a generation in common.
func (p Policy) Rules(generation func() uint64) *Rules {
	recovery := orElse(p.RecoveryTimeout, 5*time.Second)
	return &Rules{
		threshold:  orElse(p.FailureThreshold, 5),
		successes:  orElse(p.HalfOpenSuccesses, 1),
		probes:     orElse(p.HalfOpenProbes, 1),
		recovery:   int64(recovery),
		lease:      int64(orElse(p.ProbeTimeout, 30*time.Second)),
		forget:     int64(orElse(p.ForgetAfter, max(time.Minute, 10*min(recovery, maxDuration/10)))),
		generation: generation,
	}
}

func orElse[T int | time.Duration](v, fallback T) T {
	if v == 0 {
		return fallback
	}
	return v
}
