package engine

import (
	"math"
	"math/big"
)

// naiveLimit is a bucket by its definition: count tokens every per, at most capacity of them.
type naiveLimit struct {
	capacity, interval int64
	count, per         int64
	paced              bool
}

// naiveBucket is the state of one limit of one key. It is kept twice: full is the instant at which
// the bucket is full again if a token takes a whole number of nanoseconds, for exact answers; and
// the level, for the bound.
//
// The bound holds for every window: the tokens taken in it are at most capacity + rate × its
// length. With n tokens taken at t, level is the largest of tokens × per - length × count over all
// windows that end now (Lindley's recursion: a window either goes on or begins here), so that one
// comparison checks them all, in integers and without the rounding of the interval.
type naiveBucket struct {
	full  int64
	level int64
	part  *big.Rat // above -1, to be added to level: what a change has rounded up; nil is 0
	from  int64    // the instant until which gains are off the level
	at    int64    // when the last tokens were taken
}

// burst is the time in which an empty bucket fills.
func (l *naiveLimit) burst() int64 { return l.capacity * l.interval }

// time is how long the bucket takes to gain n tokens.
func (l *naiveLimit) time(n int64) int64 {
	if n > math.MaxInt64/l.interval {
		return math.MaxInt64
	}
	return n * l.interval
}

// ready is the instant from which n tokens are there.
func (l *naiveLimit) ready(full, n int64, turn bool) int64 {
	if l.paced && turn || full == math.MaxInt64 {
		return full
	}
	return full - l.capacity*l.interval + n*l.interval
}

// take takes n tokens at now, or as of a reading that is older than the last that were taken, and
// returns by how much the bound is exceeded. A call with an older reading takes effect after the
// one before it, within its own time: the window counts no time then.
func (b *naiveBucket) take(l *naiveLimit, now, n int64) (excess int64) {
	b.full = max(b.full, now) + n*l.interval
	b.at = max(b.at, now)
	b.gain(l, now)
	b.level += n * l.per
	return b.level - l.capacity*l.per
}

// gain takes what the bucket gains until now off the level.
func (b *naiveBucket) gain(l *naiveLimit, now int64) {
	switch length := max(0, now-b.from); {
	case b.level == 0: // nothing since the beginning, or a reset
	case length > b.level/l.count:
		b.level = 0
	default:
		b.level -= length * l.count
	}
	if b.level == 0 {
		b.part = nil
	}
	b.from = max(b.from, now)
}
