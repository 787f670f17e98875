package clock

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Nanos returns a function that reads c as nanoseconds since this call of
// Nanos. The readings start at zero and never run back, over all goroutines
// together: a reading that began after another ended is not less. Any number of
// goroutines may call the function at once. A panic of c is the caller's, and
// changes no later reading.
//
// If c has the optional method described at [Clock], the function is that
// method less the first reading. Otherwise it is c.Now less the first reading.
//
// A clock that is set does not end time:
//
//   - If c is set back, the readings stand still at that moment, and then go on
//     from there with c. If c later comes to the latest instant that c has ever
//     shown, the time until that instant does not count again. A step forward
//     that ends before that instant counts as one day at most.
//   - If c is set forward, the step counts in full up to 2^61 ns (73 years); a
//     longer step counts as an eighth of the range that is left.
//
// The range is 2^62 ns (146 years). At the end of the range the readings stand
// still.
func Nanos(c Clock) func() int64 {
	read, _ := NanosFrom(c)
	return read
}

// NanosFrom is [Nanos] that also returns the instant from which the readings count, if c is [System].
// The readings of two such functions differ by the difference of their instants, always. For any other
// clock the instant is zero.
func NanosFrom(c Clock) (read func() int64, base time.Time) {
	if _, ok := c.(*system); ok {
		base := time.Now()
		return func() int64 { return int64(time.Since(base)) }, base // one call less than by its method
	}
	return nanosOf(c), base
}

// nanosOf is Nanos for a clock that is not the system's.
func nanosOf(c Clock) func() int64 {
	r := &reader{source: c.Now}
	if n, ok := c.(interface{ Nanos() int64 }); ok {
		r.source = func() time.Time { return time.Unix(0, n.Nanos()) }
		r.grain = int64(time.Millisecond)
	}
	base := r.source()
	r.stretch.Store(&stretch{base: base, leap: longest, end: limit})
	return r.read
}

const (
	limit   = 1<<62 - 2             // the last reading; an instant and two durations fit in an int64
	longest = 1 << 61               // the longest step forward that counts in full
	most    = int64(24 * time.Hour) // the longest step forward that counts in full while the clock is behind
)

// reader turns a clock that may be set into readings that do not run back. Time
// is made of stretches: within a stretch the readings go with the clock, and
// every step of the clock that does not count in full begins a new stretch.
type reader struct {
	source  func() time.Time
	grain   int64 // how far a reading may be ahead of stretch.last; 0 unless the clock promises not to run back
	stretch atomic.Pointer[stretch]
	mu      sync.Mutex // orders the ends of stretches
}

// stretch is a time in which the clock goes on without a step.
type stretch struct {
	base   time.Time // the instant of the clock at which the stretch begins
	offset int64     // the reading at base
	leap   int64     // the longest step forward within the stretch
	end    int64     // the last reading that may belong to the stretch

	// While the clock is behind an instant that the clock has shown before, high
	// is the latest such instant, and highAt the reading then.
	behind bool
	high   time.Time
	highAt int64

	last atomic.Int64 // the largest reading handed out, less reader.grain at most; over when the stretch has ended
}

// over is stretch.last when the stretch has ended.
const over = -1

// read returns the present reading. A compare-and-swap that is lost means that
// another reader moved last forward, so that some reader always makes progress.
func (r *reader) read() int64 {
	for {
		s := r.stretch.Load()
		last := s.last.Load()
		if last == over {
			runtime.Gosched() // the next stretch is a few instructions away
			continue
		}
		now := r.source() // after last was loaded, so that an instant before last's is a step back and no race
		at, within := s.at(now, last)
		if !within {
			if at, ok := r.step(s, last, now); ok {
				return at
			}
			continue
		}
		for last != over && at-last > r.grain && !s.last.CompareAndSwap(last, at) {
			last = s.last.Load()
		}
		if last != over {
			return at
		}
	}
}

// at returns the reading at an instant of the clock, and reports whether the
// instant belongs to the stretch and does not come before the reading last.
func (s *stretch) at(now time.Time, last int64) (at int64, within bool) {
	d, seen := int64(now.Sub(s.base)), last-s.offset
	if d < seen || d > s.end-s.offset || d-seen > s.leap {
		return 0, false
	}
	return s.offset + d, true
}

// step ends the stretch s, in which last was the last reading, and returns the
// first reading of the next one, which begins at now. The result is false if
// another reader was faster.
func (r *reader) step(s *stretch, last int64, now time.Time) (at int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stretch.Load() != s || !s.last.CompareAndSwap(last, over) {
		return 0, false
	}
	next := s.next(now, last, min(last+r.grain, limit))
	next.last.Store(next.offset)
	r.stretch.Store(next)
	return next.offset, true
}

// next returns the stretch after s, which begins at the instant now of the clock
// and with the reading from or a later one. The last reading of s was last.
func (s *stretch) next(now time.Time, last, from int64) *stretch {
	high, highAt := s.base.Add(time.Duration(last-s.offset)), last
	back := now.Before(high)
	if s.behind && high.Before(s.high) {
		high, highAt = s.high, s.highAt
	}
	if !now.Before(high) {
		return &stretch{base: now, offset: max(from, jump(highAt, now.Sub(high))), leap: longest, end: limit}
	}
	if !back {
		from += min(most, (limit-from)/4096)
	}
	until := min(int64(high.Sub(now))-1, limit-from)
	return &stretch{base: now, offset: from, leap: most, end: from + until, behind: true, high: high, highAt: highAt}
}

// jump returns the reading after a step forward by d at the reading at.
func jump(at int64, d time.Duration) int64 {
	if d <= longest && int64(d) <= limit-at {
		return at + int64(d)
	}
	return at + (limit-at)/8
}
