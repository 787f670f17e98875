package config

import (
	"strconv"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
)

// Breaker stops calling an upstream that keeps failing. Defaults as in breaker.Policy, but for
// ProbeTimeout.
type Breaker struct {
	// Failures is the number of failures in a row that opens the breaker. Default 5; with FailureRate
	// or SlowRate the default is that failures in a row open nothing.
	Failures int `json:"failures"`
	// FailureRate is the share of failures among the requests in the window that opens the breaker,
	// above 0 and at most 1. Default: failures are not judged by their share.
	FailureRate float64 `json:"failure_rate"`
	// SlowRate is the share of slow requests among the requests in the window that opens the
	// breaker, above 0 and at most 1. A slow probe counts as a failed probe. Default: slow requests
	// are not judged.
	SlowRate float64 `json:"slow_rate"`
	// SlowAfter is how long a slow request takes at least, from the beginning of an attempt to the
	// header of the answer. A request that is slow only because of its client, or because of
	// MaxConnections, counts for nothing. SlowAfter must be given with SlowRate, and not without.
	SlowAfter Duration `json:"slow_after"`
	// Window is the length of the window over which the rates judge, at least 10 ns. Default 10 s,
	// unless WindowCalls is given. Window and the two fields below are for a Breaker with a rate.
	Window Duration `json:"window"`
	// WindowCalls makes the window the last so many requests in place of a time, 100,000 at most.
	// Default: a window of time.
	WindowCalls int `json:"window_calls"`
	// MinCalls is the number of requests in the window from which on the rates judge; at most
	// WindowCalls, if that is given. Default 20, or WindowCalls if that is less.
	MinCalls int `json:"min_calls"`
	// Recovery is how long the breaker stays open before a request is let through as a probe.
	// Default 5 s.
	Recovery Duration `json:"recovery"`
	// MaxRecovery is the longest time for which the breaker stays open, at least Recovery. With
	// MaxRecovery the open time doubles with each trip, and the Retry-After of a 503 opens the
	// breaker for the time that the upstream asks for. Default: the open time is Recovery.
	MaxRecovery Duration `json:"max_recovery"`
	// RecoveryJitter is the share of the open time that is random, 0 to 1. Default 0.
	RecoveryJitter float64 `json:"recovery_jitter"`
	// Probes is the number of probes that may run at once. Default 1.
	Probes int `json:"probes"`
	// Successes is the number of probes that must succeed to close the breaker. Default 1.
	Successes int `json:"successes"`
	// HalfOpenFailures is the number of probes that may fail before the next failure of a probe
	// opens the breaker again, 0 or more. Default 0.
	HalfOpenFailures int `json:"half_open_failures"`
	// ProbeTimeout is how long a probe may take before the probe counts as failed. Default: twice
	// the Timeout of the route, which ends an attempt before, but at least 30 s.
	ProbeTimeout Duration `json:"probe_timeout"`
	// ForgetAfter is how long after the last failure a closed breaker forgets the failures that it
	// has counted. Default: ten times Recovery, but at least 1 min.
	ForgetAfter Duration `json:"forget_after"`
}

// longestTime is the longest duration of a breaker.Policy.
const longestTime = Duration(1 << 61)

// rated reports whether a share of the requests opens the breaker.
func (b *Breaker) rated() bool { return b.FailureRate != 0 || b.SlowRate != 0 }

// fill gives every field that is zero its default, for a route with this timeout.
func (b *Breaker) fill(timeout Duration) {
	if b.rated() {
		if b.WindowCalls == 0 {
			b.Window = or(b.Window, Duration(10*time.Second))
		}
		calls := 20
		if b.WindowCalls > 0 {
			calls = min(calls, b.WindowCalls)
		}
		b.MinCalls = or(b.MinCalls, calls)
	} else {
		b.Failures = or(b.Failures, 5)
	}
	b.Recovery = or(b.Recovery, Duration(5*time.Second))
	b.Probes, b.Successes = or(b.Probes, 1), or(b.Successes, 1)
	b.ProbeTimeout = or(b.ProbeTimeout, max(Duration(30*time.Second), 2*min(timeout, longestTime/2)))
	b.ForgetAfter = or(b.ForgetAfter, max(Duration(time.Minute), 10*min(b.Recovery, longestTime/10)))
}

func (b *Breaker) policy() breaker.Policy {
	return breaker.Policy{
		FailureThreshold: b.Failures, FailureRate: b.FailureRate, SlowRate: b.SlowRate, SlowAfter: time.Duration(b.SlowAfter),
		Window: time.Duration(b.Window), WindowCalls: b.WindowCalls, MinCalls: b.MinCalls,
		RecoveryTimeout: time.Duration(b.Recovery), MaxRecovery: time.Duration(b.MaxRecovery), RecoveryJitter: b.RecoveryJitter,
		HalfOpenProbes: b.Probes, HalfOpenSuccesses: b.Successes, HalfOpenFailures: b.HalfOpenFailures,
		ProbeTimeout: time.Duration(b.ProbeTimeout), ForgetAfter: time.Duration(b.ForgetAfter),
	}
}

// breakerCounts are the fields of a Breaker that are numbers of at least 1.
var breakerCounts = []string{"failures", "window_calls", "min_calls", "probes", "successes"}

// breakerWritten makes the checks of the breaker at path at for which the file is needed, since a
// breaker has its defaults.
func (d *decoder) breakerWritten(at string) {
	given := func(name string) bool { return d.has(at+"."+name) || d.meant[at+"."+name] }
	if !given("failure_rate") && !given("slow_rate") {
		for _, name := range []string{"window", "window_calls", "min_calls"} {
			if d.has(at + "." + name) {
				d.bad(at+"."+name, "is of use only with failure_rate or slow_rate")
			}
		}
	}
	switch {
	case d.has(at+".slow_rate") && !given("slow_after"):
		d.bad(at+".slow_after", `missing, such as "2s": slow_rate needs it`)
	case d.has(at+".slow_after") && !given("slow_rate"):
		d.bad(at+".slow_after", "is of use only with slow_rate")
	}
	if d.has(at+".window") && d.has(at+".window_calls") {
		d.bad(at+".window", "must not stand beside window_calls: the window is a time or a number of requests")
	}
	for _, name := range []string{"failure_rate", "slow_rate"} {
		if v, ok := d.number(at + "." + name); ok && !(v > 0 && v <= 1) {
			d.bad(at+"."+name, "must be above 0 and at most 1; leave it out to judge no share")
		}
	}
}

// number returns the number at path, if there is one.
func (d *decoder) number(path string) (v float64, ok bool) {
	n := d.nodes[path]
	if n == nil || n.kind != number {
		return 0, false
	}
	v, err := strconv.ParseFloat(n.text, 64)
	return v, err == nil
}

// breaker notes the mistakes of a breaker that has its defaults, at path at.
func (d *decoder) breaker(b *Breaker, at string) {
	p := b.policy()
	switch recovery := at + ".recovery"; {
	case d.wrong[recovery], d.meant[recovery], b.Recovery > longestTime:
		p.MaxRecovery = 0 // cannot be compared
	case b.MaxRecovery > 0 && b.MaxRecovery < b.Recovery:
		d.badf(at+".max_recovery", "must be at least recovery (%v)", b.Recovery)
	}
	d.lift(at, p.Validate(), "FailureThreshold", "failures", "FailureRate", "failure_rate", "SlowRate", "slow_rate",
		"SlowAfter", "slow_after", "WindowCalls", "window_calls", "Window", "window", "MinCalls", "min_calls",
		"MaxRecovery", "max_recovery", "RecoveryTimeout", "recovery", "RecoveryJitter", "recovery_jitter",
		"HalfOpenProbes", "probes", "HalfOpenSuccesses", "successes", "HalfOpenFailures", "half_open_failures",
		"ProbeTimeout", "probe_timeout", "ForgetAfter", "forget_after")
}
