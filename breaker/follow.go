package breaker

// Follow has the circuit follow r from now on, in place of was. An open circuit stays open until
// the same instant, and a lease keeps its end. The open time shrinks to what r allows from the next
// trip on. A step back that is under way keeps its instant. Calls in a window stay if both windows are
// of time, or both of calls; else the window begins anew.
func (c *Circuit) Follow(was, r *Rules, now int64) {
	c.Advance(was, now)
	c.growth = min(c.growth, r.doublings)
	if c.state != Closed {
		return
	}
	if c.growth == 0 {
		c.until = 0
	}
	if r.threshold == 0 {
		c.count = 0
	}
	switch {
	case c.Tally() == nil || was.calls == r.calls && was.width == r.width && was.rated == r.rated:
	case !r.rated || (was.calls > 0) != (r.calls > 0):
		c.detail = nil
	case r.calls > 0:
		c.recount(was, r, now)
	default:
		c.reslice(was, r, now)
	}
}

// recount numbers the calls of a window of calls anew: those that were in the window, from 1 on.
func (c *Circuit) recount(was, r *Rules, now int64) {
	from, is := c.detail, &detail{tally: r.newTally(c.generation, now)}
	total := from.tally.all()
	inside := min(total, was.calls)
	is.tally.counts[0].Store(uint64(inside)) //nolint:gosec // not negative
	for _, m := range from.recent.marks {
		is.recent = is.recent.with(m.at-(total-inside), m.n)
	}
	is.recent = is.recent.from(is.tally.oldest(r, now))
	c.detail = is
}

// reslice puts the calls of each slice of a window of time into the slice of r in which the old slice
// ended, or in which now is.
func (c *Circuit) reslice(was, r *Rules, now int64) {
	number := func(slice int64) int64 { return min(after(slice*was.width, was.width-1), now) / r.width }
	from := c.detail
	newest := from.tally.newest.Load()
	is := &detail{tally: r.newTally(c.generation, min(after(newest*was.width, was.width-1), now))}
	oldest := from.tally.oldest(was, now)
	if planted("a window that a change revives") {
		oldest = newest - parts + 1
	}
	for slice := max(0, oldest); slice <= newest; slice++ { // a call that has left the window stays away
		if at := number(slice); at >= is.tally.oldest(r, now) {
			is.tally.add(&is.tally.counts, at, from.tally.in(slice))
		}
	}
	for _, m := range from.recent.marks {
		if at := number(m.at); at >= is.tally.oldest(r, now) {
			is.recent = is.recent.with(at, m.n)
		}
	}
	c.detail = is
}
