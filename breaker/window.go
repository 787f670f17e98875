package breaker

import (
	"fmt"
	"time"
)

// The bounds and defaults of a window.
const (
	parts        = 10      // slices of a window of time
	mostCalls    = 100_000 // of WindowCalls
	defaultSpan  = 10 * time.Second
	defaultCalls = 20 // of MinCalls
)

// window is the rules about rates, compiled.
type window struct {
	rated                 bool // whether there are any
	failureRate, slowRate float64
	slowAfter             int64 // ns; with slowRate
	minCalls              int64
	calls                 int64 // of a window of calls; 0: a window of time
	width                 int64 // ns of a slice; in a window of calls a tenth of ForgetAfter, for the last use alone
}

// window returns the rules of p about rates; forget is ForgetAfter or its default.
func (p *Policy) window(forget int64) window {
	if p.FailureRate == 0 && p.SlowRate == 0 {
		return window{}
	}
	w := window{
		rated: true, failureRate: p.FailureRate, slowRate: p.SlowRate, slowAfter: int64(p.SlowAfter),
		minCalls: int64(p.MinCalls), calls: int64(p.WindowCalls),
	}
	if w.calls > 0 {
		w.width = max(1, forget/parts)
	} else {
		w.width = int64(orElse(p.Window, defaultSpan)) / parts
	}
	if w.minCalls == 0 {
		w.minCalls = defaultCalls
		if w.calls > 0 {
			w.minCalls = min(w.minCalls, w.calls)
		}
	}
	return w
}

// validateWindow returns one error for every bad field of the window that is neither negative nor a
// duration that is too long.
func (p *Policy) validateWindow() (errs []error) {
	bad := func(field string, value any, reason string, args ...any) {
		errs = append(errs, &ConfigError{field, value, fmt.Sprintf(reason, args...)})
	}
	if p.WindowCalls > mostCalls {
		bad("WindowCalls", p.WindowCalls, "must be at most %d", mostCalls)
	}
	switch {
	case p.Window > 0 && p.WindowCalls > 0:
		bad("Window", p.Window, "must be 0 with WindowCalls, which is %d", p.WindowCalls)
	case p.Window > 0 && p.Window < parts:
		bad("Window", p.Window, "must be at least 10 ns (0 is the default)")
	}
	if p.WindowCalls > 0 && p.MinCalls > p.WindowCalls {
		bad("MinCalls", p.MinCalls, "must be at most WindowCalls, %d", p.WindowCalls)
	}
	if p.SlowRate > 0 && p.SlowAfter == 0 {
		bad("SlowAfter", p.SlowAfter, "must be set with SlowRate")
	}
	return errs
}

// Rated reports whether a breaker may open because of a share of its calls: then a closed circuit counts
// successes, too, in a [Tally].
func (r *Rules) Rated() bool { return r.rated }

// Threshold returns how many failures in a row open a breaker; 0 if failures in a row open none.
func (r *Rules) Threshold() int { return r.threshold }

// InARow reports whether failures in a row open a breaker.
func (r *Rules) InARow() bool { return r.threshold > 0 }

// SlowAfter returns how many nanoseconds a call takes at least that is slow, or 0 if slow calls are not
// judged.
func (r *Rules) SlowAfter() int64 {
	if r.slowRate == 0 {
		return 0
	}
	return r.slowAfter
}

// Counts is the calls in the window of a closed circuit.
type Counts struct {
	Calls    int // that ended as a success or a failure
	Failures int
	Slow     int // successes and failures that were slow
}

// tooMany reports whether so many calls open the circuit: if the last of them failed or was slow.
func (w *window) tooMany(n Counts, failed, slow bool) bool {
	return failed && w.reaches(w.failureRate, n.Failures, n.Calls) || slow && w.reaches(w.slowRate, n.Slow, n.Calls)
}

// reaches reports whether n of so many calls are enough of them for the given rate. A quotient of whole
// numbers is rounded as the literal of a rate is: 3 of 30 calls are 0.1 exactly.
func (w *window) reaches(rate float64, n, calls int) bool {
	enough := int64(calls) >= w.minCalls || planted("a rate of too few calls")
	return rate > 0 && enough && float64(n)/float64(calls) >= rate
}

// TooManyFailures reports whether a failure that makes the calls in the window n opens the breaker.
func (r *Rules) TooManyFailures(n Counts) bool { return r.tooMany(n, true, false) }
