package limiter

import (
	"math/bits"
	"time"
)

// FixedWindow lets through at most Max calls in each window of length Per, as the quotas of providers
// do: "1000 requests per day, counted from midnight". Windows follow each other without a gap and begin
// at the Unix epoch plus Offset plus a multiple of Per. A key has all Max calls again at the instant at
// which the next window begins. While they are used up, Acquire and Run wait for that instant, and Allow
// returns false. The zero FixedWindow is invalid.
//
// A window says nothing about the time within it. So up to 2 × Max calls may pass around the instant at
// which one window ends and the next begins, and callers that wait for it go together then. Where the
// other side does not count in windows, use a [TokenBucket].
//
// An engine finds out what time it is when it is made, and counts the windows from there on: where
// the clock of the machine is set later, the windows stay. A Charge beyond Max
// counts in its own window alone.
type FixedWindow struct {
	Max    int           // the calls, or tokens, of one window: at least 1, at most one for each nanosecond of Per
	Per    time.Duration // the length of a window: above 0, at most 2^61 ns (73 years)
	Offset time.Duration // of the windows from the Unix epoch, also below 0: 5h for days from 5:00 UTC. Default 0
}

// Validate returns nil if Max and Per can be used, and else an error that joins one *[ConfigError] for
// every bad field.
func (w FixedWindow) Validate() error { return validate(w) }

func (w FixedWindow) compile(to Limits, path string, bad func(*ConfigError)) Limits {
	most, per, good := int64(w.Max), int64(w.Per), true
	fault := func(field string, value any, reason string) {
		good = false
		bad(&ConfigError{path + field, value, reason})
	}
	switch {
	case per <= 0:
		fault("Per", w.Per, "must be positive")
	case per > maxBurst:
		fault("Per", w.Per, "must not be above 2^61 ns (73 years)")
	}
	switch {
	case most < 1:
		fault("Max", w.Max, "must be at least 1")
	case good && most > per:
		fault("Max", w.Max, tooFast)
	}
	if !good {
		return to
	}
	return append(to, Limit{interval: 1, capacity: most, per: per, phase: floorMod(int64(w.Offset), per)})
}

// A window is a bucket that gains a token every nanosecond, and that sees the time as if a window were
// one instant, its last: see [Limit.Seen]. When used tokens have been taken in a window that ends before
// the instant e, then the full-at is e - 1 + used. This is not after the last instant of the next window,
// because used is at most Per. So each full-at belongs to one window, and in a later window it says that
// nothing has been taken. It also is after every instant of its own window, and the bucket is full at the
// full-at and later, as with other buckets.

// Anchor returns l with its fixed windows counted from the Unix epoch, for instants of which 0 is zero.
// Limits that have not been anchored count their windows from the instant 0.
func (l Limits) Anchor(zero time.Time) Limits {
	anchored := append(Limits(nil), l...)
	for i := range anchored {
		if per := anchored[i].per; per > 0 {
			seconds := uint64(floorMod(zero.Unix(), per)) //nolint:gosec // not negative
			hi, lo := bits.Mul64(seconds, uint64(time.Second))
			_, since := bits.Div64(hi%uint64(per), lo, uint64(per)) //nolint:gosec // per is above 0
			// the part of the epoch's window that has passed at zero
			passed := floorMod(int64(since)+int64(zero.Nanosecond())%per, per) //nolint:gosec // both below 2^61
			anchored[i].phase = floorMod(anchored[i].phase-passed, per)
		}
	}
	return anchored
}

// Windowed reports whether there is a FixedWindow among the limits.
func (l Limits) Windowed() bool {
	for i := range l {
		if l[i].per > 0 {
			return true
		}
	}
	return false
}

// Windowed reports whether the limit is a FixedWindow.
func (l *Limit) Windowed() bool { return l.per > 0 }

// Seen returns the instant as which the limit sees now: for a FixedWindow the last of the window, else now.
func (l *Limit) Seen(now int64) int64 {
	if l.per == 0 {
		return now
	}
	return l.ends(now) - 1
}

// Begun returns the latest instant at which one of the windows has begun, at now or before, or 0 without a
// window. A grant that counts as of an earlier instant than now must not count in an earlier window.
func (l Limits) Begun(now int64) (begun int64) {
	for i := range l {
		if l[i].per > 0 {
			begun = max(begun, l[i].begins(now))
		}
	}
	return begun
}

// begins returns the instant at which the window of at begins, which may be below 0.
func (l *Limit) begins(at int64) int64 { return at - floorMod(at-l.phase, l.per) }

// ends returns the instant at which the window of at ends and the next begins, or Never.
func (l *Limit) ends(at int64) int64 { return sum(l.begins(at), l.per) }

// readyInWindow is Ready of a window: it returns the beginning of the first window whose last instant is not before
// the one that the bucket asks for.
func (l *Limit) readyInWindow(fullAt, n int64) int64 {
	seen := fullAt - l.room(n)
	return l.begins(seen) // each instant of a window is seen as its last
}

// usedInWindow returns the tokens that have been taken in the window of at or, if tokens of a later window have been
// taken, in that window, and an instant of the window.
func (l *Limit) usedInWindow(fullAt, at int64) (used, in int64) {
	if fullAt != Never {
		at = max(at, l.begins(fullAt)-l.per)
	}
	return min(max(0, fullAt-l.Seen(at)), product(deepest, l.burst())), at
}

// behindInWindow is Behind for a window, if every caller asks for one token.
func (l *Limit) behindInWindow(fullAt, waiting int64) int64 {
	if fullAt == Never {
		return Never
	}
	end := l.begins(fullAt) // of the window in which the last tokens were taken
	free := max(0, l.capacity-(fullAt-end+1))
	if waiting <= free {
		return fullAt + waiting
	}
	waiting -= free
	windows := (waiting-1)/l.capacity + 1
	return sum(sum(end-1, product(windows, l.per)), waiting-(windows-1)*l.capacity)
}

// floorMod returns a modulo b, from 0 to b-1. b must be above 0.
func floorMod(a, b int64) int64 {
	if a %= b; a < 0 {
		return a + b
	}
	return a
}
