package limiter

import "fmt"

// TokenBucket allows bursts: it holds up to Capacity tokens, starts full, gains RefillRate, and a call takes one token
// (or n). When it is empty, Acquire and Run wait for the next token and Allow answers false.
//
// Over any time t it lets through at most Capacity + RefillRate × t, where a call that waited counts as of when its token was there. It
// goes when a timer fires, which may be late by a millisecond or so: several may then go together, and a queue gets the whole rate.
type TokenBucket struct {
	Capacity   int  // the most tokens it holds, at least 1
	RefillRate Rate // above 0, at most 1e9 per second; Capacity / RefillRate may be at most 2^61 ns (73 years)
}

// LeakyBucket paces: what enters leaves at LeakRate, one call every 1/LeakRate, however the calls arrive.
//
// Acquire and Run go through when all that came before has leaked out, so that calls are spaced evenly. At most Capacity
// places are taken at any time, by callers that wait and by what is still leaking; beyond that a call is refused with
// [ErrLimited] at once. Allow never waits: it takes a place if one is free, so Capacity calls of Allow may pass in one
// instant, as with a meter.
//
// A timer may be late by a millisecond or so, and above some hundred calls per second that is longer than the spacing: those whose turn
// has come by then leave together, so that callers that wait leave at LeakRate. After a pause of the process ten milliseconds' worth
// leave together at most.
type LeakyBucket struct {
	Capacity int  // the places, at least 1
	LeakRate Rate // above 0, at most 1e9 per second; Capacity / LeakRate may be at most 2^61 ns (73 years)
}

// Validate returns nil or every bad field joined into one error, a *ConfigError each.
func (b TokenBucket) Validate() error { return validate(b) }

// Validate returns nil or every bad field joined into one error, a *ConfigError each.
func (b LeakyBucket) Validate() error { return validate(b) }

func (b TokenBucket) compile(to Limits, path string, bad func(*ConfigError)) Limits {
	return compileBucket(to, path, bad, b.Capacity, "RefillRate", b.RefillRate, false)
}

func (b LeakyBucket) compile(to Limits, path string, bad func(*ConfigError)) Limits {
	return compileBucket(to, path, bad, b.Capacity, "LeakRate", b.LeakRate, true)
}

func compileBucket(to Limits, path string, bad func(*ConfigError), capacity int, rateField string, rate Rate, paced bool) Limits {
	interval, reason := rate.interval()
	if reason != "" {
		bad(&ConfigError{path + rateField, rate, reason})
	}
	switch {
	case capacity < 1:
		bad(&ConfigError{path + "Capacity", capacity, "must be at least 1"})
	case reason == "" && int64(capacity) > maxBurst/interval:
		bad(&ConfigError{path + "Capacity", capacity,
			fmt.Sprintf("is too large for %v: the bucket would take more than 2^61 ns (73 years) to fill", rate)})
	case reason == "":
		return append(to, Limit{interval: interval, capacity: int64(capacity), burst: int64(capacity) * interval, paced: paced})
	}
	return to
}

// all is what All returns.
type all []Limiter

// All allows a call when every one of limiters does, and then takes from each; when one refuses, none loses anything.
// They share the key: for limits on different keys, as user and tenant, use an engine for each.
//
// It needs at least one limiter and none may be nil. An All among them counts as its members.
func All(limiters ...Limiter) Limiter { return all(append([]Limiter(nil), limiters...)) }

// Validate returns nil or every bad field of every member joined into one error, a *ConfigError each.
func (a all) Validate() error { return validate(a) }

func (a all) compile(to Limits, path string, bad func(*ConfigError)) Limits {
	if len(a) == 0 {
		bad(&ConfigError{path + "All", "no limiters", "must have at least one"})
	}
	for i, l := range a {
		at := fmt.Sprintf("%s[%d]", path, i)
		if isNil(l) {
			bad(&ConfigError{at, nil, "must not be nil"})
			continue
		}
		to = l.compile(to, at+".", bad)
	}
	return to
}
