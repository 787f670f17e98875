package peers

import (
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
)

// Fault is something that can be wrong with a limiter or a breaker, with the check for it.
type Fault struct {
	Name      string // in lower-case words joined by "-"
	Title     string // what is done to the subject, for a table
	Figure    string // what Finding.Figure counts, in lower-case words joined by "-"
	Simulated bool   // the check sleeps, for up to an hour
	Busy      bool   // the check is meant for a machine that has other work for each of its processors as well
	// Check bounds what it does, but not how long the subject takes.
	Check func(Subject) Finding
}

// Faults returns all of them. contention is for how long the one that needs real time loads a limiter.
func Faults(contention time.Duration) []Fault {
	return []Fault{
		{"contention", "2,000 goroutines on a busy machine, one key of 100,000/s with a burst of 1,000", "over-admission-permille", false, true,
			func(s Subject) Finding { return contended(s, contention) }},
		{"stamps", "readings of the clock that come out of order", "out-of-order-permille", true, false, stamps},
		{"boundary", "two bursts around the edge of a window", "boundary-permille", true, false, boundary},
		{"deficit", "a queue, then 100 s idle, then a burst", "deficit-permille", true, false, deficit},
		{"negative", "a request for −100 tokens", "minted-tokens", true, false, negative},
		{"overflow", "a request for more than the bucket holds, up to the largest integer", "overflowing-quantities", true, false, overflow},
		{"eviction", "a drained key among so many others that it is forgotten", "eviction-permille", true, false, eviction},
		{"cancelled", "100 waiters that leave the queue", "lost-tokens", true, false, cancelled},
		{"ended", "100 callers whose context has already ended", "burnt-tokens", true, false, ended},
		{"hang", "a half-open probe that hangs", "hang-wedged-hours", true, false, probeHangs},
		{"panic", "a half-open probe that panics", "panic-wedged-hours", true, false, probePanics},
		{"goexit", "a half-open probe that calls runtime.Goexit", "goexit-wedged-hours", true, false, probeExits},
		{"neutral", "a half-open probe that its caller cancels", "neutral-wedged-hours", true, false, probeLeaves},
		{"stale", "results of calls from before it opened, while it is half-open", "stale-results", true, false, stale},
		{"callback", "a callback that asks the breaker for its state", "deadlocks", false, false, callback},
	}
}

// settings are those of a contender with one small bucket of which nothing comes back in time, and no breaker that opens.
func settings() contender.Settings {
	return contender.Settings{
		Keys:             contender.NewKeys(1),
		Capacity:         10,
		Interval:         time.Hour,
		FailureThreshold: 1 << 30,
		RecoveryTimeout:  time.Hour,
		BaseDelay:        time.Millisecond,
	}
}

// with calls check with a new guard and closes it.
func with(s Subject, cfg contender.Settings, check func(g contender.Guard, key contender.Key) Finding) Finding {
	g, err := s.New(cfg)
	if err != nil {
		return broken("%v", err)
	}
	f := check(g, cfg.Keys.At(0))
	if err := g.Close(); err != nil {
		return broken("close: %v", err)
	}
	return f
}
