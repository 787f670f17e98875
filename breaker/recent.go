package breaker

import "slices"

// detail is what only few circuits have. It does not change, so that a copy of a circuit is a circuit of its
// own.
type detail struct {
	leases []int64 // half-open: the ends of the leases, in order
	tally  *Tally  // closed, by rated rules: the successes of this period, from the first outcome on
	recent recent  // closed, by rated rules
}

// leases returns the ends of the leases of the probes in flight, in order.
func (c *Circuit) leases() []int64 {
	if c.detail == nil {
		return nil
	}
	return c.detail.leases
}

// lease replaces the leases.
func (c *Circuit) lease(ends []int64) {
	c.detail = nil
	if len(ends) > 0 {
		c.detail = &detail{leases: ends}
	}
}

// recent returns the failures and slow calls in the window.
func (c *Circuit) recent() recent {
	if c.detail == nil {
		return recent{}
	}
	return c.detail.recent
}

// recent is the failures and slow calls in the window of a closed circuit. A recent does not change.
type recent struct {
	marks []mark // from old to new
	free  *int   // how many places behind the last mark of the longest recent with this array are free
	n     Counts // in marks
}

// mark is the failures and slow calls of a slice or, in a window of calls, one of them.
type mark struct {
	at int64 // the number of the slice or of the call
	n  Counts
}

// from returns was without the marks before oldest.
func (was recent) from(oldest int64) recent {
	is := was
	for len(is.marks) > 0 && is.marks[0].at < oldest && !planted("a failure that stays in the window") {
		is.n = is.n.less(is.marks[0].n)
		is.marks = is.marks[1:]
	}
	if len(is.marks) == 0 {
		return recent{}
	}
	return is
}

// with returns was with one call more.
func (was recent) with(at int64, n Counts) recent {
	is := recent{was.marks, was.free, was.n.plus(n)}
	switch last := len(is.marks) - 1; {
	case last >= 0 && is.marks[last].at == at: // a slice: there are ten at most
		is.marks, is.free = slices.Clone(is.marks), new(int)
		is.marks[last].n = is.marks[last].n.plus(n)
	case last >= 0 && *is.free > 0 && cap(is.marks)-len(is.marks) == *is.free: // no other recent has the next place
		is.marks = append(is.marks, mark{at, n})
		*is.free--
	default:
		marks := make([]mark, 0, 2*len(is.marks)+2)
		is.marks = append(append(marks, is.marks...), mark{at, n})
		is.free = new(int)
		*is.free = cap(is.marks) - len(is.marks)
	}
	return is
}

func (n Counts) plus(m Counts) Counts {
	return Counts{n.Calls + m.Calls, n.Failures + m.Failures, n.Slow + m.Slow}
}

func (n Counts) less(m Counts) Counts {
	return Counts{n.Calls - m.Calls, n.Failures - m.Failures, n.Slow - m.Slow}
}

// mark counts a call that failed or was slow while the circuit is closed, and returns the calls in the
// window.
func (c *Circuit) mark(r *Rules, now int64, failed, slow bool) Counts {
	c.last = now
	if !r.rated {
		return Counts{}
	}
	n := Counts{Calls: 1}
	if failed {
		n.Failures = 1
	}
	if slow {
		n.Slow = 1
	}
	t := c.counting(r, now)
	at := t.next(r, now)
	c.detail = &detail{tally: t, recent: c.recent().from(t.oldest(r, now)).with(at, n)}
	return c.counts(r, now)
}

// counting returns the tally, which begins with the first outcome that counts.
func (c *Circuit) counting(r *Rules, now int64) *Tally {
	if c.detail == nil {
		c.detail = &detail{tally: r.newTally(c.generation, now)}
	}
	return c.detail.tally
}

// slide drops the failures and slow calls that have left the window at now.
func (c *Circuit) slide(r *Rules, now int64) {
	was := c.recent()
	if len(was.marks) == 0 {
		return
	}
	t, is := c.detail.tally, recent{}
	if now < c.recentUntil(r) {
		is = was.from(t.oldest(r, now))
	}
	if len(is.marks) != len(was.marks) {
		c.detail = &detail{tally: t, recent: is}
	}
}

// recentUntil returns the instant from which no failure or slow call counts any more if no call comes.
func (c *Circuit) recentUntil(r *Rules) int64 {
	until := after(c.last, r.forget)
	if marks := c.recent().marks; r.calls == 0 {
		until = min(until, after(marks[len(marks)-1].at*r.width, parts*r.width))
	}
	return until
}

// Window returns the calls that are in the window of a closed circuit at now; none if the rules are not
// rated.
func (c *Circuit) Window(r *Rules, now int64) Counts {
	c.Advance(r, now)
	if c.Tally() == nil || !r.rated {
		return Counts{}
	}
	return c.counts(r, now)
}

// counts is Window for a circuit that has been brought to now and has a tally.
func (c *Circuit) counts(r *Rules, now int64) Counts {
	n := c.recent().n
	n.Calls = c.detail.tally.calls(r, now, n.Calls)
	return n
}

// Tally returns the tally of a closed circuit whose rules are rated, or nil before the first outcome.
func (c *Circuit) Tally() *Tally {
	if c.detail == nil {
		return nil
	}
	return c.detail.tally
}

// Rest drops the tally of a clean circuit if the tally is over at now.
func (c *Circuit) Rest(r *Rules, now int64) {
	if t := c.Tally(); t == nil || !t.Over(r, now) && !planted("a tally dropped before its time") {
		return
	}
	if c.Advance(r, now); c.Clean() {
		c.detail = nil
	}
}

// Count has a closed circuit without failures count in t, the tally of a dropped circuit of the same
// generation. If t is nil, the circuit begins a new tally with the next outcome.
func (c *Circuit) Count(t *Tally) {
	c.detail = nil
	if t != nil {
		c.detail = &detail{tally: t}
	}
}
