package limiter

import (
	"math"
	"time"
)

// Limit is a bucket ready for arithmetic. Its state is one word, an int64 of nanoseconds that belongs to the caller: the
// instant at which the bucket is full (a leaky bucket: empty) again. The word only grows. Instants are not negative.
type Limit struct {
	interval int64 // between two tokens, at least 1
	capacity int64
	burst    int64 // capacity × interval
	paced    bool  // a LeakyBucket
}

// Capacity is the most tokens that the bucket holds.
func (l Limit) Capacity() int { return int(l.capacity) }

// Interval is the time in which the bucket gains a token (a leaky bucket: frees a place): 1 / rate, rounded up to whole nanoseconds.
func (l Limit) Interval() time.Duration { return time.Duration(l.interval) }

// Limits is a compiled [Limiter]: all of them must allow. Its state is a slice of words, one for each limit. The zero
// Limits allows everything.
type Limits []Limit

// Mode is how a call passes a leaky bucket; for a token bucket both are the same.
type Mode bool

const (
	// Place takes a free place at once.
	Place Mode = false
	// Turn passes when all that came before has leaked out.
	Turn Mode = true
)

// Never is the instant that does not come, and the sum of instants that does not fit.
const Never = math.MaxInt64

// Reset makes words those of a bucket that nothing was ever taken from, at now.
func (l Limits) Reset(words []int64, now int64) {
	for i := range words {
		words[i] = now
	}
}

// Holds reports whether n tokens at once can ever be had: whether n is within every capacity.
func (l Limits) Holds(n int64) bool {
	for i := range l {
		if n > l[i].capacity {
			return false
		}
	}
	return true
}

// Ready is the instant from which n tokens may be taken; they may be taken now if it is not after now. n must be at
// least 1 and within the capacity, see [Limits.Holds].
func (l Limits) Ready(words []int64, now, n int64, mode Mode) int64 {
	ready := now
	for i := range l {
		ready = max(ready, l[i].Ready(words[i], n, mode))
	}
	return ready
}

// Ready is [Limits.Ready] for one limit with its word; it may lie in the past.
//
// It follows from the rule that the word after the debit, word + cost, may lie at most burst after the instant of the debit. A
// word in the past counts as that instant, and then any n within the capacity may go.
func (l *Limit) Ready(word, n int64, mode Mode) int64 {
	if word == Never || l.paced && mode == Turn {
		return word
	}
	// word - burst first: both are within ±2^62, and the sum is below word since n × interval ≤ burst.
	return word - l.burst + n*l.interval
}

// After is the word when n tokens have been taken at instant at.
func (l *Limit) After(word, at, n int64) int64 { return sum(max(word, at), n*l.interval) }

// Debit takes n tokens at instant at, which must not be before [Limits.Ready].
func (l Limits) Debit(words []int64, at, n int64) {
	for i := range l {
		words[i] = l[i].After(words[i], at, n)
	}
}

// HasRoom reports whether n more may wait when callers for waiting tokens already do: whether every leaky bucket has
// the places for them. Token buckets have no places.
func (l Limits) HasRoom(words []int64, now, waiting, n int64) bool {
	for i := range l {
		if l[i].paced && n > l[i].places(words[i], now)-waiting {
			return false
		}
	}
	return true
}

// places is how many more may enter a leaky bucket at now.
func (l *Limit) places(word, now int64) int64 { return (l.burst - max(0, word-now)) / l.interval }

// Behind makes tail the words as they will be when the callers that wait, for waiting tokens together, have had their
// turn one after the other. It is exact for one limit; see [Limits.Follow] for several.
//
// One limit that callers wait for has no idle moment until the last has been served: each is granted at or before the
// word, so that each grant adds its cost to it. (A grant that comes later than the engine makes up for may put it off by as much.)
func (l Limits) Behind(tail, words []int64, waiting int64) {
	for i := range l {
		tail[i] = sum(words[i], product(waiting, l[i].interval))
	}
}

// Follow takes n tokens from words at the first instant from at on that allows it, as a waiting caller will, and returns
// that instant.
func (l Limits) Follow(words []int64, at, n int64) int64 {
	at = l.Ready(words, at, n, Turn)
	l.Debit(words, at, n)
	return at
}

// FullAt is the first instant at which every bucket is as if nothing had ever been taken from it.
func (l Limits) FullAt(words []int64) int64 {
	var full int64 = math.MinInt64
	for _, w := range words {
		full = max(full, w)
	}
	return full
}

// Status describes limit i at now. tail are the words behind all that wait, who wait for waiting tokens together.
func (l Limits) Status(i int, words, tail []int64, now, waiting int64) Status {
	limit := &l[i]
	used := max(0, words[i]-now)
	s := Status{
		Available: max(0, float64(limit.burst-used)/float64(limit.interval)),
		Queued:    int(waiting),
		Wait:      time.Duration(max(0, limit.Ready(tail[i], 1, Turn)-now)),
	}
	if limit.paced {
		s.Available = max(0, s.Available-float64(waiting))
		s.Queued += int((used + limit.interval - 1) / limit.interval)
	}
	return s
}

// sum adds two numbers of nanoseconds, b not negative, and answers Never when the sum does not fit.
func sum(a, b int64) int64 {
	if s := a + b; s >= a {
		return s
	}
	return Never
}

// product multiplies two numbers that are not negative and answers Never when the product does not fit.
func product(a, b int64) int64 {
	if a != 0 && b > math.MaxInt64/a {
		return Never
	}
	return a * b
}
