package engine

import (
	"slices"
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// drawChange makes a random change of the limits, of the breaker, of the bounds of the queue, of the number of keys and
// the time for which they are kept, or of the retries.
func (w *world) drawChange() setup {
	s := w.setup
	switch w.below(8) {
	case 0: // the same again
	case 1, 2, 3:
		w.drawLimiter(&s)
	default:
		w.drawOther(&s)
	}
	slow := func(l naiveLimit) bool { return l.interval >= int64(time.Minute) }
	if w.patient && slices.ContainsFunc(s.limits, slow) { // nobody could wait for that
		s.limits, s.cfg.Limiter = w.limits, w.cfg.Limiter
	}
	switch w.below(6) {
	case 0, 1:
		w.drawQueue(&s)
	case 2:
		w.drawSystem(&s)
	}
	if w.oneIn(2) {
		w.drawOtherBreaker(&s)
	}
	if w.oneIn(4) && !w.isCalled() {
		s.cfg.PerCall = !s.cfg.PerCall
	}
	if w.oneIn(4) {
		w.drawPlaces(&s)
	}
	s.shadow = s.shadow != w.oneIn(6) && len(s.limits) < 2
	s.cfg.Shadow = s.shadow
	if r := s.cfg.Retry; r != nil && r.MaxElapsed == 0 && w.oneIn(3) {
		s.cfg.Retry = w.drawRetry()
		s.cfg.Retry.MaxElapsed = 0
		s.attempts = max(s.attempts, orThree(s.cfg.Retry.MaxAttempts)) // the bound of calls that run, too
	}
	return s
}

// drawOther draws other capacities or rates for the same limits.
func (w *world) drawOther(s *setup) {
	limits := slices.Clone(s.limits)
	for i := range limits {
		l, other := &limits[i], limits[i]
		switch w.below(4) {
		case 0:
			other.capacity = w.spread(1, 100)
		case 1:
			other.capacity = max(1, other.capacity+int64(w.below(5))-2)
		case 2:
			other = w.drawLimit()
			other.paced = l.paced
		case 3:
			other = w.drawLimit()
			other.capacity, other.paced = l.capacity, l.paced
		}
		if other.interval <= guard.LongestWait/other.capacity {
			*l = other
		}
	}
	s.use(limits)
}

// use has s go by limits.
func (s *setup) use(limits []naiveLimit) {
	var members []limiter.Limiter
	for _, l := range limits {
		rate := limiter.Per(l.count, time.Duration(l.per))
		if l.paced {
			members = append(members, limiter.LeakyBucket{Capacity: int(l.capacity), LeakRate: rate})
		} else {
			members = append(members, limiter.TokenBucket{Capacity: int(l.capacity), RefillRate: rate})
		}
	}
	s.limits, s.cfg.Limiter = limits, nil
	switch len(members) {
	case 0:
	case 1:
		s.cfg.Limiter = members[0]
	default:
		s.cfg.Limiter = limiter.All(members...)
	}
}

// reconfigure has the caller change the configuration of its engine.
func (c *caller) reconfigure() {
	w := c.w
	if w.coming != nil || w.closed {
		return // one at a time; it would wait
	}
	s := w.drawChange()
	c.phase, w.coming, c.person.changing = changing, &s, w
	err := w.eng.Reconfigure(s.cfg)
	w.settle()
	installed := w.installed
	w.coming, w.installed, c.person.changing = nil, false, nil
	switch {
	case w.closed:
	case err != nil:
		w.fail("a change is refused: %v", err)
	case !installed:
		w.fail("Reconfigure has returned, and nothing has changed")
	}
}

// isCalled reports whether a call has begun whose first attempt has not: it may still read PerCall.
func (w *world) isCalled() bool {
	return slices.ContainsFunc(w.people[:w.callers], func(c *caller) bool { return c.deciding && c.attempts == 0 && slices.Contains(c.links, c) })
}

// still reports whether nobody else goes on because of the change that goes on: no call may begin by one PerCall and go
// on by the other.
func (w *world) still() bool {
	return w.undated() || w.b.Current() == w.current && w.coming.cfg.PerCall != w.cfg.PerCall
}

// undated reports whether the change that goes on has begun, and its instant is not said yet. Nobody else
// goes on then; the histories have others go on.
func (w *world) undated() bool { return w.b.Current() != w.current && w.b.Current().At() == 0 }

// settleChange looks whether the change that goes on has taken effect, before anybody else goes on.
func (w *world) settleChange() {
	if w.installed || w.b.Current() == w.current {
		return
	}
	w.installed, w.current = true, w.b.Current()
	at := w.current.At()
	next := w.rulesOf(w.coming, w.rules.number+1, at)
	if !slices.Equal(next.compiled, w.rules.compiled) {
		w.changedAt = at
	}
	w.noteBreaker(next)
	w.rules.next, w.rules, w.setup = next, next, *w.coming
	w.dark = w.dark || w.shadow
	w.changed++
	w.note(15, w.number, at)
	for i := range w.fresh.buckets {
		w.fresh.buckets[i].full = max(at, w.fresh.buckets[i].full)
	}
	w.fresh.follow()
	for i := range w.keys {
		w.keys[i].changes(w)
	}
	for _, c := range w.people[:w.callers] {
		if c.deciding && c.account != nil {
			w.watch(c, w.latest)
		}
	}
}

// expectAdopt has a key follow the rules that have begun since its last turn. Those that wait are
// not sure of the wait that was foreseen any more, and those that wait for more than there can be
// are refused.
func (w *world) expectAdopt(st *site) {
	a := st.account
	if !a.stale {
		return
	}
	w.turning.fuse = whole // what a turn that follows and panics has granted is lost to the state before
	waiters := st.waits() > 0
	for r := a.old.rules.next; r != nil && waiters; r = r.next {
		st.rows.shared, st.moved = true, max(st.moved, r.at)
		for _, q := range slices.Concat(st.line.rowByRow(), st.rowByRow()) {
			if r.holds(q.n) {
				continue
			}
			st.drop(q.req)
			if !q.req.Left() {
				w.expect(q.who, expectation{err: limiter.ErrExceedsCapacity})
			}
		}
	}
	if waiters && st.waits() == 0 {
		st.moved = 0
	}
	st.emptied()
	w.adopted(a)
}

// adopted takes note that the gate of a goes by the rules in force. Failures that were forgotten by the instant of the
// change do not count any more.
func (w *world) adopted(a *account) {
	for r := a.old.rules; a.stale && r.next != nil; r = r.next {
		w.follow(&a.circuit, r, r.next)
	}
	a.stale, a.old = false, books{}
}

// holds reports whether n tokens can ever be there.
func (r *rules) holds(n int64) bool {
	for i := range r.limits {
		if n > r.limits[i].capacity {
			return false
		}
	}
	return true
}

// checkFollowed makes sure that nobody waits by old rules, now that nobody is ready.
func (w *world) checkFollowed() {
	for i := range w.names {
		if a := &w.keys[i]; a.stale && w.coming == nil && a.waits() > 0 && !a.site.rests {
			w.fail("callers wait for %q by limits that have changed", keyNames[i])
		}
	}
}
