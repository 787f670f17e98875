package breaker

import "sync/atomic"

// Tally counts the successes in the window of a closed circuit whose [Rules] are rated, beside the
// circuit: any goroutine may add to a Tally without asking the owner of the circuit. A Tally belongs to
// one period of a circuit, which makes it with the first outcome that it counts. [Circuit.Tally] and
// [Circuit.Count] pass a Tally on.
//
// A success is in the newest slice, which [Tally.Open] has begun, and not in a slice of its own reading of
// the clock. In a window of calls the slices only tell when the Tally was last used.
type Tally struct {
	// Every call reads these words. They are written when a slice begins, and once more.
	newest     atomic.Int64 // the number of the newest slice
	generation uint64
	spread     atomic.Pointer[[stripes]counts] // beside counts, once many goroutines add at the same time
	met        atomic.Uint64                   // how often two goroutines have met at counts since the newest slice began
	_          [32]byte

	counts // in cache lines of their own
}

// counts is a share of the successes, by slice: a power of two of counts, because the window moves by one of
// them at a time. Each count has the tag of its slice. In a window of calls the first count is a share of
// all calls.
type counts [1 << slotBits]atomic.Uint64

const (
	slotBits = 4  // there is room for more than the slices of a window
	tagBits  = 24 // of a count
	stripes  = 8  // of a Tally to which many goroutines add at the same time
	meetings = 64 // in one slice, from which on a Tally is spread over stripes
)

// newTally returns the tally of the period generation, whose first outcome comes at now.
func (r *Rules) newTally(generation uint64, now int64) *Tally {
	t := &Tally{generation: generation}
	t.newest.Store(now / r.width)
	return t
}

// Open begins the slice of now if now is after the newest slice. A call is admitted, or fails, at now.
func (t *Tally) Open(r *Rules, now int64) {
	if newest := t.newest.Load(); now-newest*r.width >= r.width {
		t.open(newest, now/r.width)
	}
}

// open begins the slice number next in place of newest.
func (t *Tally) open(newest, next int64) {
	for newest < next && !t.newest.CompareAndSwap(newest, next) {
		newest = t.newest.Load()
	}
	t.met.Store(0)
}

// slotOf returns the index of the count of a slice, and the slice's tag. A tag comes again after 268 million
// slices: eight years with a Window of 10 s.
func slotOf(slice int64) (slot int, tag uint64) {
	return int(slice & (1<<slotBits - 1)), uint64(slice) >> slotBits & (1<<tagBits - 1) //nolint:gosec // not negative
}

// Succeed adds the success of a call that was let through in a period of the circuit. If that is another
// period, the success is not counted. Goroutines that run at the same time should pass different numbers as
// from.
func (t *Tally) Succeed(r *Rules, generation, from uint64) {
	if generation != t.generation && !planted("a success of an earlier period") {
		return
	}
	c := &t.counts
	if s := t.spread.Load(); s != nil {
		c = &s[from%stripes]
	}
	if !t.succeed(r, c, t.newest.Load()) || planted("a success counted twice") {
		t.meet(r, from)
	}
}

// succeed adds a success to the share c, and reports whether no other goroutine came in between.
func (t *Tally) succeed(r *Rules, c *counts, newest int64) bool {
	if r.calls == 0 {
		return t.add(c, newest, 1)
	}
	n := c[0].Load()
	return c[0].CompareAndSwap(n, n+1)
}

// add adds n successes of a slice to the share c, and reports whether no other goroutine came in between. In
// the time that a goroutine takes here, the window may move on so far that the count belongs to a newer slice.
func (t *Tally) add(c *counts, slice int64, n uint64) bool {
	slot, tag := slotOf(slice)
	v := c[slot].Load()
	was := v
	if v>>(64-tagBits) != tag {
		if t.newest.Load()-slice >= parts {
			return false
		}
		v = tag << (64 - tagBits)
	}
	return c[slot].CompareAndSwap(was, v+n)
}

// meet is Succeed for a goroutine that has met another one, and takes note of that.
//
//go:noinline
func (t *Tally) meet(r *Rules, from uint64) {
	c := &t.counts
	for added := false; !added; added = t.succeed(r, c, t.newest.Load()) {
		if t.spread.Load() == nil && t.met.Add(1) >= meetings {
			t.spread.CompareAndSwap(nil, new([stripes]counts))
		}
		if s := t.spread.Load(); s != nil {
			c = &s[from%stripes]
		}
	}
}

// in returns the successes of a slice.
func (c *counts) in(slice int64) uint64 {
	slot, tag := slotOf(slice)
	v := c[slot].Load()
	if v>>(64-tagBits) != tag {
		return 0
	}
	return v << tagBits >> tagBits
}

// in returns the successes of a slice.
func (t *Tally) in(slice int64) uint64 {
	n := t.counts.in(slice)
	if s := t.spread.Load(); s != nil {
		for i := range s {
			n += s[i].in(slice)
		}
	}
	return n
}

// all returns the number of calls of a window of calls, of which later calls of all return no fewer.
func (t *Tally) all() int64 {
	n := t.counts[0].Load()
	if s := t.spread.Load(); s != nil {
		for i := range s {
			n += s[i][0].Load()
		}
	}
	return int64(n) //nolint:gosec // not that many
}

// Newest returns the number of the newest slice, and how many successes are in it; in a window of calls, the
// number of all calls. A simulation compares that with its models.
func (t *Tally) Newest(r *Rules) (slice, calls int64) {
	slice = t.newest.Load()
	if r.calls > 0 {
		return slice, t.all()
	}
	return slice, int64(t.in(slice)) //nolint:gosec // below 2^40
}

// next returns the number of the next call that fails or is slow, at now: that of its slice or, in a window
// of calls, its own. The call counts from then on.
func (t *Tally) next(r *Rules, now int64) int64 {
	t.Open(r, now)
	if r.calls > 0 {
		t.counts[0].Add(1)
		return t.all()
	}
	return t.newest.Load()
}

// oldest returns the number of the oldest slice in the window at now or, in a window of calls, of the oldest
// call.
func (t *Tally) oldest(r *Rules, now int64) int64 {
	if r.calls > 0 {
		return t.all() - r.calls + 1
	}
	return max(t.newest.Load(), now/r.width) - parts + 1
}

// calls returns the number of calls in the window at now, of which the given number has failed or was slow.
func (t *Tally) calls(r *Rules, now int64, marked int) int {
	if r.calls > 0 {
		return int(min(t.all(), r.calls))
	}
	n, oldest := marked, t.oldest(r, now)
	for slice := max(0, oldest); slice < oldest+parts; slice++ {
		n += int(t.in(slice)) //nolint:gosec // below 2^40
	}
	return n
}

// Over reports whether every slice has left the window at now: the Tally is like a new one. A window of
// calls has no such end; its Tally is over when it was not used for ForgetAfter.
func (t *Tally) Over(r *Rules, now int64) bool { return now/r.width-t.newest.Load() >= parts }
