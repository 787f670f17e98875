package limiter

import "fmt"

// TokenBucket allows bursts. A key's bucket starts with Capacity tokens and gains RefillRate up to
// Capacity. A call takes one token, or n. While the tokens are missing, Acquire and Run wait for
// the next token, and Allow returns false. The zero TokenBucket is invalid.
//
// In any time t the bucket lets through at most Capacity + RefillRate × t. A call that waited
// counts as of the instant at which its token was there. A timer that is late by a millisecond or
// so lets several waiting calls go together, and so costs a queue nothing of the rate.
type TokenBucket struct {
	Capacity   int  // the most tokens that the bucket holds, at least 1
	RefillRate Rate // above 0, at most 1e9/s; Capacity / RefillRate at most 2^61 ns (73 years)
}

// LeakyBucket paces: calls leave at LeakRate, one call every 1/LeakRate, however the calls arrive.
// The zero LeakyBucket is invalid.
//
// A key's bucket has Capacity places. A call takes a place until the call has leaked out,
// 1/LeakRate after the call before it. Acquire and Run take a place and wait until all earlier
// calls have leaked out, so that calls are spaced evenly. Allow never waits: Capacity calls of
// Allow may pass in one instant, as with a meter. A call that finds no free place is refused with
// [ErrLimited] at once.
//
// A timer may be late by a millisecond or so. Above some hundred calls per second that is longer
// than the spacing, and waiting calls whose turn has come leave together, so that waiting calls
// leave at LeakRate. After a pause of the process, ten milliseconds' worth of calls leave together
// at most.
type LeakyBucket struct {
	Capacity int  // the places, at least 1
	LeakRate Rate // above 0, at most 1e9/s; Capacity / LeakRate at most 2^61 ns (73 years)
}

// Validate returns nil if both fields can be used, and else an error that joins one *[ConfigError]
// for every bad field.
func (b TokenBucket) Validate() error { return validate(b) }

// Validate returns nil if both fields can be used, and else an error that joins one *[ConfigError]
// for every bad field.
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
		return append(to, Limit{interval: interval, capacity: int64(capacity), paced: paced})
	}
	return to
}

// all is the Limiter that All returns.
type all []Limiter

// All combines limiters: a call passes if every limiter lets the call pass, and then takes tokens
// from each. If one limiter refuses the call, no limiter loses a token. All limiters limit the same
// key: for limits on different keys, such as user and tenant, use an engine for each.
//
// At least one limiter is needed, and no limiter may be nil; [Compile] and Validate return an error
// otherwise. An All among limiters counts as its members.
func All(limiters ...Limiter) Limiter { return all(append([]Limiter(nil), limiters...)) }

// Validate returns nil if all members can be used, and else an error that joins one *ConfigError
// for every bad field of every member.
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
