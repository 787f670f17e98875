package limiter

import (
	"math"
	"time"
)

// Limit is a compiled bucket. Its state is a full-at that the caller keeps: the instant at which the
// bucket is full again (a leaky bucket: empty again), an int64 of nanoseconds. A full-at only grows.
// No instant may be negative. A fixed window is a bucket, too, see [Limit.Seen]. Its full-at lies a little
// after the instant at which all calls are there again, by less than 1 ns for each call of Max.
type Limit struct {
	interval int64 // between two tokens, at least 1; of a window 1
	capacity int64
	per      int64 // the length of a FixedWindow, else 0
	phase    int64 // of a FixedWindow: the first instant from 0 on at which a window begins
	paced    bool  // a LeakyBucket
}

// Capacity returns the most tokens that the bucket holds, or FixedWindow.Max.
func (l Limit) Capacity() int { return int(l.capacity) }

// Interval returns the time in which the bucket gains a token (a leaky bucket: frees a place): 1 /
// rate, rounded up to whole nanoseconds. For a FixedWindow it is Per / Max, in the same way.
func (l Limit) Interval() time.Duration {
	if l.per > 0 {
		return time.Duration((l.per-1)/l.capacity + 1)
	}
	return time.Duration(l.interval)
}

// Burst returns the longest time in which an empty bucket fills, at most 2^61 ns: capacity × interval, or
// FixedWindow.Per.
func (l Limit) Burst() time.Duration { return time.Duration(max(l.burst(), l.per)) }

// burst returns the time in which an empty bucket fills.
func (l *Limit) burst() int64 { return l.capacity * l.interval }

// room returns the time in which an empty bucket gains all tokens but n, which are within the capacity.
func (l *Limit) room(n int64) int64 { return (l.capacity - n) * l.interval }

// Limits is a compiled [Limiter]. A call passes if all limits let the call pass. The state is a
// slice of full-ats, one for each limit, see [Limit]; only one goroutine may use the full-ats at a time.
// The zero Limits lets everything pass.
type Limits []Limit

// Mode says how a call passes a leaky bucket. A token bucket treats both modes alike.
type Mode bool

const (
	// Immediate takes a free place at once.
	Immediate Mode = false
	// Queued passes when all earlier calls have leaked out.
	Queued Mode = true
)

// Never is the instant that does not come. A sum of instants that an int64 cannot hold is Never,
// too.
const Never = math.MaxInt64

// Reset makes full-ats the state of full buckets at now. There may be more full-ats than limits. The full-at of a
// window is then its last instant, so that a debit as of an earlier window finds no token.
func (l Limits) Reset(fullAts []int64, now int64) {
	for i := range fullAts {
		if fullAts[i] = now; i < len(l) {
			fullAts[i] = l[i].Seen(now)
		}
	}
}

// Holds reports whether n tokens at once can ever be there: whether n is within every capacity.
func (l Limits) Holds(n int64) bool {
	for i := range l {
		if n > l[i].capacity {
			return false
		}
	}
	return true
}

// Ready returns the first instant, now or later, at which n tokens may be taken. n must be at least
// 1 and within the capacity, see [Limits.Holds].
func (l Limits) Ready(fullAts []int64, now, n int64, mode Mode) int64 {
	ready := now
	for i := range l {
		ready = max(ready, l[i].Ready(fullAts[i], n, mode))
	}
	return ready
}

// Ready returns the first instant at which n tokens may be taken from a bucket with full-at, which may
// be before now; see [Limits.Ready].
//
// The rule is that a debit may move the full-at to at most burst after the instant of the debit. A
// full-at in the past counts as that instant, and then any n within the capacity passes.
func (l *Limit) Ready(fullAt, n int64, mode Mode) int64 {
	if fullAt == Never || l.paced && mode == Queued {
		return fullAt
	}
	if l.per > 0 {
		return l.readyInWindow(fullAt, n)
	}
	return fullAt - l.room(n)
}

// Latest returns the latest full-at with which n tokens may be taken at now, which is before [Never]:
// Ready(fullAt, n, mode) is at most now exactly if fullAt is at most Latest(seen, n, mode), where seen is
// [Limit.Seen] of now.
func (l *Limit) Latest(seen, n int64, mode Mode) int64 {
	if l.paced && mode == Queued {
		return seen
	}
	room := l.room(n)
	return min(seen, Never-1-room) + room
}

// After returns the full-at when n tokens have been taken at an instant, or [Never] if the full-at does
// not fit in an int64. seen is [Limit.Seen] of that instant.
func (l *Limit) After(fullAt, seen, n int64) int64 { return sum(max(fullAt, seen), n*l.interval) }

// Undo returns the full-at before n tokens were taken, if the bucket lacked tokens then.
func (l *Limit) Undo(fullAt, n int64) int64 { return fullAt - n*l.interval }

// EmptyAt returns the full-at of a bucket that is empty at an instant, at most [Never].
func (l *Limit) EmptyAt(at int64) int64 { return sum(l.Seen(at), l.burst()) }

// Slack is Latest for a call for one token, less the instant of the call: the token may be taken at now exactly if
// full-at is at most now + Slack(mode). A window has another rule, see [Limit.Seen]. Neither that sum nor the full-at
// after it overflows, for a now below 2^62.
func (l *Limit) Slack(mode Mode) int64 {
	if l.paced && mode == Queued {
		return 0
	}
	return l.room(1)
}

// Debit takes n tokens at instant at, which must not be before [Limits.Ready].
func (l Limits) Debit(fullAts []int64, at, n int64) {
	for i := range l {
		fullAts[i] = l[i].After(fullAts[i], l[i].Seen(at), n)
	}
}

// deepest is the most that a bucket may lack after a [Limit.Charge], in bursts.
const deepest = 10

// Charge returns the full-at of a bucket from which n tokens more are taken at now, whether they are there or not.
// n must be at least 0. The bucket lacks ten times its capacity then, at most, or as much as it lacked before.
// A lack of a window ends with the window.
func (l *Limit) Charge(fullAt, now, n int64) int64 {
	seen := l.Seen(now)
	from, most := max(fullAt, seen), l.lacking(seen, product(deepest, l.burst()))
	if from >= most {
		return from
	}
	if n > (most-from)/l.interval {
		return most
	}
	return from + n*l.interval
}

// lacking returns the full-at of a bucket that lacks so much of its burst at an instant that it sees as seen. The lack
// of a window may not reach into the next window.
func (l *Limit) lacking(seen, lacks int64) int64 {
	if l.per > 0 {
		lacks = min(lacks, l.per)
	}
	return sum(seen, lacks)
}

// Charge takes n tokens of each bucket at now, see [Limit.Charge].
func (l Limits) Charge(fullAts []int64, now, n int64) {
	for i := range l {
		fullAts[i] = l[i].Charge(fullAts[i], now, n)
	}
}

// HasRoom reports whether a call for n tokens may wait behind callers for waiting tokens: whether
// every leaky bucket has n places free. A token bucket has no places and any number of callers may
// wait for it.
func (l Limits) HasRoom(fullAts []int64, now, waiting, n int64) bool {
	for i := range l {
		if l[i].paced && n > l[i].places(fullAts[i], now)-waiting {
			return false
		}
	}
	return true
}

// places returns the number of free places of a leaky bucket at now.
func (l *Limit) places(fullAt, now int64) int64 {
	return max(0, l.burst()-max(0, fullAt-now)) / l.interval
}

// Behind makes tail the full-ats when callers for waiting tokens together, who wait now, have been
// granted one after the other. Behind is exact for one limit; for several see [Effect]. With a FixedWindow
// Behind is exact if it is the only limit and each caller waits for one token; else the full-ats are not too late.
//
// One limit is never idle until the last waiting caller has been granted: every grant comes no
// later than the full-at, and so adds its cost to the full-at. The exception is a grant that a timer
// delays by more than the engine makes up for, which delays the full-at by as much.
func (l Limits) Behind(tail, fullAts []int64, waiting int64) {
	for i := range l {
		if l[i].per > 0 {
			tail[i] = l[i].behindInWindow(fullAts[i], waiting)
			continue
		}
		tail[i] = sum(fullAts[i], product(waiting, l[i].interval))
	}
}

// Follow takes n tokens from full-ats at the first instant from at on at which they are there, as a
// waiting caller does, and returns that instant.
func (l Limits) Follow(fullAts []int64, at, n int64) int64 {
	at = l.Ready(fullAts, at, n, Queued)
	l.Debit(fullAts, at, n)
	return at
}

// FullAt returns the first instant at which every bucket is full, or math.MinInt64 without a
// bucket.
func (l Limits) FullAt(fullAts []int64) int64 {
	var full int64 = math.MinInt64
	for _, w := range fullAts {
		full = max(full, w)
	}
	return full
}

// Status describes limit i at now. The waiting callers ask for waiting tokens together, and tail
// are the full-ats behind the last of them.
func (l Limits) Status(i int, fullAts, tail []int64, now, waiting int64) Status {
	limit := &l[i]
	used := max(0, fullAts[i]-limit.Seen(now))
	available := float64(limit.burst()-used) / float64(limit.interval) // rounded, perhaps upwards
	s := Status{
		Available: min(max(0, available), float64(limit.capacity)),
		Queued:    int(waiting),
		Wait:      time.Duration(max(now, limit.Ready(tail[i], 1, Queued)) - now),
	}
	if limit.per > 0 {
		s.Ends = time.Duration(limit.ends(now) - now)
	}
	if limit.paced {
		s.Available = max(0, s.Available-float64(waiting))
		s.Queued = int(sum(waiting, limit.taken(used)))
	}
	return s
}

// taken returns the number of places of a leaky bucket that are empty again in used nanoseconds: a
// place is taken until it has leaked out whole.
func (l *Limit) taken(used int64) int64 {
	if used == 0 {
		return 0
	}
	return (used-1)/l.interval + 1
}

// sum adds two numbers, b not negative, and returns Never when an int64 cannot hold the sum.
func sum(a, b int64) int64 {
	if s := a + b; s >= a {
		return s
	}
	return Never
}

// product multiplies two numbers that are not negative and returns Never when an int64 cannot hold
// the product.
func product(a, b int64) int64 {
	if a != 0 && b > math.MaxInt64/a {
		return Never
	}
	return a * b
}
