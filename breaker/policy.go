// Package breaker decides when to stop calling an upstream that keeps failing, and when to try
// again.
//
// A [Policy] describes a circuit breaker. The engine takes a Policy as engine.Config.Breaker, keeps
// one breaker for every key, and refuses a call with [ErrOpen] while the breaker of its key is
// open. The zero Policy is ready for use: five failures in a row open the breaker for 5 s, and then
// one probe decides.
//
// A circuit breaker (Michael Nygard, "Release It!", 2007) is in one of three states:
//
//   - [Closed]: calls pass. FailureThreshold failures in a row open the breaker or, if a rate is set, the
//     share of failures or of slow calls among the calls in a window.
//   - [Open]: calls are refused. After RecoveryTimeout the breaker is half-open.
//   - [HalfOpen]: calls are refused, except for a few probes. HalfOpenSuccesses successes of probes
//     close the breaker, and one failure, or one more than HalfOpenFailures, opens the breaker again.
//
// The end of a call is an [Outcome]: Success, Failure or Ignore.
//
// # The state machine
//
// A program that uses the engine needs nothing below this line. [Circuit] is the breaker of one key
// as a pure state machine: no lock, no goroutine, no clock. Time is an argument of its methods.
// [Policy.Rules] compiles a Policy into the [Rules] of any number of circuits, and a [Permit] links
// the outcome of a call to the state that let the call through.
package breaker

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// ErrOpen says that the breaker lets no call through now.
var ErrOpen = errors.New("breaker: open")

// Policy says when a breaker opens and how it recovers. In every field zero means the default, and
// so the zero Policy holds the documented defaults.
//
// No field may be negative, and no duration longer than 2^61 ns (73 years): see [Policy.Validate]
// for all bounds.
type Policy struct {
	// FailureThreshold is the number of failures in a row that open the breaker. A success starts
	// the count anew. Default 5; with a FailureRate or a SlowRate, the default is that failures in a
	// row open nothing.
	FailureThreshold int
	// FailureRate is the share of failures among the calls in the window that opens the breaker,
	// above 0 and at most 1: with 0.5, the breaker opens if half of the calls fail. The breaker opens
	// with a failure, never with a success or because time passes, and not before there are MinCalls
	// calls in the window. Default 0: failures are not judged by their share.
	FailureRate float64
	// SlowRate is the share of slow calls among the calls in the window that opens the breaker, above
	// 0 and at most 1. The breaker opens with a slow call, and not before there are MinCalls calls in
	// the window. While the breaker is half-open, a slow probe counts as a failed one. SlowRate costs
	// a reading of the clock after each call. Default 0: slow calls are not judged.
	SlowRate float64
	// SlowAfter is how long a call takes at least that counts as slow, from its admission to its
	// end. SlowAfter must be set with SlowRate, and has no effect without.
	SlowAfter time.Duration
	// Window is the length of the window over which FailureRate and SlowRate judge. The window has
	// ten slices and moves on by a slice at a time, so that it shows the last 90 to 100 % of Window.
	// A failure is in the slice of its end. A success is in the newest slice that an admission, a
	// failure or the first outcome has begun since the breaker closed: so a success that took long
	// does not leave the window before a failure that took as long. At least 10 ns. Default 10 s, unless WindowCalls is set.
	Window time.Duration
	// WindowCalls makes the window the last so many calls in place of the calls of a time; Window
	// must be 0 then. At most 100,000. Default 0: a window of time.
	WindowCalls int
	// MinCalls is how many calls must be in the window before a share of them opens the breaker. At
	// most WindowCalls, if that is set. Default 20, or WindowCalls if that is less.
	MinCalls int
	// RecoveryTimeout is how long the breaker stays open before it lets a probe through. Default 5
	// s.
	RecoveryTimeout time.Duration
	// HalfOpenSuccesses is the number of probes that must succeed to close the breaker. Default 1.
	HalfOpenSuccesses int
	// HalfOpenProbes is how many probes may be in flight at once. No more probes are let through
	// than successes are still needed: with two of three successes counted, one probe may be in
	// flight, whatever HalfOpenProbes is. Default 1.
	HalfOpenProbes int
	// HalfOpenFailures is how many probes may fail before the breaker opens again: the breaker
	// opens with the next failure of a probe. Successes and failures between count, in any order.
	// At most 2^31 - 1. Default 0: the first failure of a probe opens the breaker.
	HalfOpenFailures int
	// ProbeTimeout is how long a probe may take. A probe that takes longer counts as a failure when
	// ProbeTimeout has passed, and its real outcome is not counted. So a probe that hangs cannot
	// hold the breaker half-open. Default 30 s.
	ProbeTimeout time.Duration
	// ForgetAfter is how long after the last failure a closed breaker forgets the failures that it
	// has counted, also those in a window that is longer, and those in a window of calls. A slow call
	// counts as a failure here. An open breaker that no probe closes is forgotten likewise, ForgetAfter after
	// its last counted outcome, but never before it has been half-open for ten times
	// RecoveryTimeout. By as much as the open time is longer or shorter than RecoveryTimeout, that
	// comes later or earlier. Default: the larger of 1 min and 10 × RecoveryTimeout, at most 2^61
	// ns.
	ForgetAfter time.Duration
	// MaxRecovery is the longest time for which the breaker stays open. With MaxRecovery the open
	// time doubles with each trip: RecoveryTimeout, twice that, four times that, up to MaxRecovery.
	// For each RecoveryTimeout that the breaker spends closed, the next open time halves, down to
	// RecoveryTimeout. A breaker that is forgotten starts over. MaxRecovery also allows an upstream
	// to ask for an open time: see engine.Verdict.OpenFor. At least RecoveryTimeout. Default 0: the
	// open time is RecoveryTimeout, and no upstream is asked.
	MaxRecovery time.Duration
	// RecoveryJitter is the share of the open time that is random, from 0 to 1, so that breakers of
	// many processes do not probe one upstream at the same time. With 0.2 the breaker is open for
	// 80 to 100 % of the open time that RecoveryTimeout and MaxRecovery give, so never for longer
	// than MaxRecovery and never for less than 80 % of RecoveryTimeout; with 1 for at least 1 ns.
	// An open time that an upstream asked for has no random part. Default 0.
	RecoveryJitter float64
	// Seed makes RecoveryJitter reproducible: the random part is a function of Seed and of the
	// instant at which the breaker opens. Default 0: a random seed for each compiled Policy.
	Seed uint64
}

// ConfigError says that a field of a [Policy] cannot be used, and why.
type ConfigError struct {
	Field  string // the name of the field, such as "RecoveryTimeout"
	Value  any    // the value of the field
	Reason string // why the value is bad, and the bound
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("breaker: %s = %v: %s", e.Field, e.Value, e.Reason)
}

// maxDuration bounds every duration of a policy (73 years).
const maxDuration = time.Duration(1 << 61)

// Validate returns nil if every field of p can be used, and else an error that joins one
// *[ConfigError] for every bad field. A field is bad if it is negative, or a duration longer than
// 2^61 ns (73 years), a HalfOpenFailures above 2^31 - 1, a MaxRecovery that is set and shorter than
// RecoveryTimeout, or a rate or RecoveryJitter that is not from 0 to 1. Of the window, a Window is bad
// below 10 ns or beside WindowCalls, a WindowCalls above 100,000, a MinCalls above WindowCalls, and a
// SlowAfter of 0 with SlowRate.
func (p Policy) Validate() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value int
	}{
		{"FailureThreshold", p.FailureThreshold},
		{"HalfOpenSuccesses", p.HalfOpenSuccesses},
		{"HalfOpenProbes", p.HalfOpenProbes},
		{"HalfOpenFailures", p.HalfOpenFailures},
		{"WindowCalls", p.WindowCalls},
		{"MinCalls", p.MinCalls},
	} {
		if f.value < 0 {
			errs = append(errs, &ConfigError{f.name, f.value, "must not be negative (0 is the default)"})
		}
	}
	if p.HalfOpenFailures > math.MaxInt32 {
		errs = append(errs, &ConfigError{"HalfOpenFailures", p.HalfOpenFailures, "must be at most 2^31 - 1"})
	}
	for _, f := range []struct {
		name  string
		value time.Duration
	}{
		{"RecoveryTimeout", p.RecoveryTimeout},
		{"ProbeTimeout", p.ProbeTimeout},
		{"ForgetAfter", p.ForgetAfter},
		{"MaxRecovery", p.MaxRecovery},
		{"Window", p.Window},
		{"SlowAfter", p.SlowAfter},
	} {
		switch {
		case f.value < 0:
			errs = append(errs, &ConfigError{f.name, f.value, "must not be negative (0 is the default)"})
		case f.value > maxDuration:
			errs = append(errs, &ConfigError{f.name, f.value, "must be at most 2^61 ns (73 years)"})
		}
	}
	if recovery := p.recovery(); p.MaxRecovery > 0 && p.MaxRecovery < recovery && recovery <= maxDuration {
		errs = append(errs, &ConfigError{"MaxRecovery", p.MaxRecovery, fmt.Sprintf("must be at least RecoveryTimeout, %v (0 is the default)", recovery)})
	}
	for _, f := range []struct {
		name  string
		value float64
	}{
		{"RecoveryJitter", p.RecoveryJitter},
		{"FailureRate", p.FailureRate},
		{"SlowRate", p.SlowRate},
	} {
		if !(f.value >= 0 && f.value <= 1) {
			errs = append(errs, &ConfigError{f.name, f.value, "must be from 0 to 1"})
		}
	}
	return errors.Join(append(errs, p.validateWindow()...)...)
}

// recovery returns RecoveryTimeout or its default.
func (p *Policy) recovery() time.Duration { return orElse(p.RecoveryTimeout, 5*time.Second) }

// Rules is a [Policy] with its defaults filled in, returned by [Policy.Rules]. Any number of
// circuits and goroutines may use the same Rules, as far as the function generation allows.
type Rules struct {
	threshold         int // 0: failures in a row open nothing
	successes, probes int
	tolerated         uint32 // failures of probes
	window
	recovery, lease int64  // ns
	forget          int64  // ns; how long a closed circuit counts its last failure
	abandon         int64  // ns; how long another circuit lasts after a probe may come
	longest         int64  // ns; the longest open time, but for what an upstream asks for
	mayAsk          int64  // ns; the longest open time that an upstream may ask for
	doublings       uint8  // of recovery until longest
	jitter          uint64 // the share of the open time that is random, of 2^jitterBits
	seed            uint64
	generation      func() uint64
}

// places is how many probes may be in flight after so many have succeeded. By other rules than
// those of now there may have been successes enough: then the next one closes the circuit.
func (r *Rules) places(succeeded int) int {
	if planted("more probes than are needed") {
		return r.probes
	}
	return min(r.probes, max(1, r.successes-succeeded))
}

// probation is how long an open circuit that is not probed stays half-open, in recovery times.
const probation = 10

// Rules returns the compiled form of p, which must be valid. Every circuit calls generation to
// number its periods. The function must return a number above 0 that it has not returned before, so
// that circuits with the same generation function never have a period's number in common.
func (p Policy) Rules(generation func() uint64) *Rules {
	recovery := p.recovery()
	forget := orElse(p.ForgetAfter, max(time.Minute, 10*min(recovery, maxDuration/10)))
	r := &Rules{
		threshold:  p.FailureThreshold,
		successes:  orElse(p.HalfOpenSuccesses, 1),
		probes:     orElse(p.HalfOpenProbes, 1),
		tolerated:  uint32(p.HalfOpenFailures), //nolint:gosec // valid
		recovery:   int64(recovery),
		lease:      int64(orElse(p.ProbeTimeout, 30*time.Second)),
		forget:     int64(forget),
		abandon:    max(int64(forget-recovery), probation*min(int64(recovery), latest/probation)),
		longest:    int64(max(recovery, p.MaxRecovery)),
		mayAsk:     int64(p.MaxRecovery),
		jitter:     uint64(p.RecoveryJitter * (1 << jitterBits)),
		seed:       p.Seed,
		generation: generation,
		window:     p.window(int64(forget)),
	}
	if !r.rated {
		r.threshold = orElse(r.threshold, 5)
	}
	r.doublings = doublings(r.recovery, r.longest)
	if r.jitter > 0 && r.seed == 0 {
		r.seed = rand.Uint64() //nolint:gosec // no secret
	}
	return r
}

func orElse[T int | time.Duration](v, fallback T) T {
	if v == 0 {
		return fallback
	}
	return v
}
