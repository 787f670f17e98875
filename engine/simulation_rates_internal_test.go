package engine

import (
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// success is what a caller knows of the end of a call by a breaker that counts successes: until the success has been
// reported, or has been added to the window by the caller itself.
type success struct {
	counts bool // it may be added by the caller
	must   bool // it has to be reported or added, if nothing of the following changes
	site   *site
	period uint64 // of the naive circuit
	window int    // naiveWindow.number
	rules  int    // rules.number
}

// succeeded is checkSuccess by a breaker that counts successes.
func (c *caller) succeeded() {
	st, b := c.account.site, &c.account.circuit
	c.may = true
	c.success = success{counts: true, site: st, period: b.period, window: b.window.number, rules: c.w.rules.number}
	c.must = st != nil && st == c.ranAt.site && b.period == c.ranAt.period && c.rules == c.w.rules && !c.looks() && !b.forced
}

// checkSuccess makes sure that the success of a call has been reported or added to the window, now that the caller goes on.
func (c *caller) checkCounted() {
	s := c.success
	if c.success = (success{}); !s.counts || !s.must || c.w.closed {
		return
	}
	if a := c.account; a.site == s.site && !s.site.retired && a.circuit.period == s.period && a.circuit.window.number == s.window && c.w.rules.number == s.rules {
		c.w.fail("caller %d has neither reported its success nor counted it", c.id)
	}
}

// settleRates looks at the window of the person that goes on: if its newest slice is another one, the person has been let
// through, and if there is a success more, it is the person's.
func (c *caller) settleRates() {
	w, a := c.w, c.account
	if !a.circuit.rules.rated() || !c.deciding && !c.counts {
		return
	}
	slice, calls, ok := a.site.gate.Newest()
	if !ok {
		return
	}
	v, r := &a.circuit.window, a.circuit.rules
	if slice != v.newest {
		from, to := c.since/r.width, c.given/r.width
		if !c.looks() {
			from = to
		}
		if slice < v.newest || slice < from || slice > to || !c.deciding || !c.asks {
			w.fail("caller %d has begun slice %d after %d, and has read the clock in %d to %d", c.id, slice, v.newest, from, to)
		}
		v.open(r, slice*r.width)
		w.note(16, c.id, slice)
	}
	if is := v.inNewest(r); c.counts && calls != is {
		c.counted(calls - is)
	}
}

// counted adds the success of c to the window, now that the caller has done so.
func (c *caller) counted(n int64) {
	w, b := c.w, &c.account.circuit
	switch {
	case n != 1:
		w.fail("caller %d has counted its success as %d", c.id, n)
	case b.state != breaker.Closed || b.forced:
		w.fail("caller %d has counted its success, and the breaker is %v, forced: %t", c.id, b.state, b.forced)
	case b.row > 0 && b.rules.slow == 0:
		w.fail("caller %d has counted its success, and %d failures in a row stay", c.id, b.row)
	}
	c.checkSlow(false, b.rules)
	b.window.succeed(b.rules, 0)
	c.may, c.owes, c.success = false, false, success{}
	w.note(17, c.id, b.window.newest)
}

// checkSlow makes sure that a call which has ended, as the caller has read the clock last, is told to be slow only if it was.
func (c *caller) checkSlow(slow bool, r *naiveRules) {
	if r.slow == 0 || c.ranAt.rules != c.w.rules || c.account.stale {
		return
	}
	if least, most := c.given-c.ranAt.last, c.given-c.ranAt.first; slow && most < r.slowAfter || !slow && least >= r.slowAfter {
		c.w.fail("caller %d says that its call was slow: %t; it took %d to %d ns, of %d", c.id, slow, least, most, r.slowAfter)
	}
}

// ran is where and when the attempt of a caller that runs now was let through.
type ran struct {
	site        *site  // of the account when the attempt began
	period      uint64 // likewise
	rules       *rules // likewise
	first, last int64  // the readings between which it was let through
}

// checkBegun makes sure that the newest slice is not before a call that has been let through.
func (c *caller) checkBegun() {
	a := c.account
	b := &a.circuit
	if !b.rules.rated() || !c.asks || c.inShadow || a.site == nil || a.site != c.was || b.period != c.ranAt.period || c.rules != c.w.rules || a.stale || b.forced || c.decided == 0 {
		return
	}
	if v := &b.window; v.begun && v.newest < c.decided/b.rules.width && (!c.answered || !c.answer.Under) {
		c.w.fail("caller %d was let through at %d, and the newest slice is %d of %d ns", c.id, c.decided, v.newest, b.rules.width)
	}
}

// checkWindow compares the window of the actor with the naive one, and what callers see of it.
func (w *world) checkWindow(st *site, s *guard.State, now int64) {
	b := &st.account.circuit
	v, r := &b.window, b.rules
	slice, calls, begun := s.Newest()
	_, _, posted := st.gate.Newest()
	switch {
	case !r.rated() || b.state != breaker.Closed || b.forced:
		if posted {
			w.fail("callers may count successes, and the breaker is %v, forced: %t, rated: %t", b.state, b.forced, r.rated())
		}
		return
	case begun != v.begun || posted != (begun && w.cfg.Dispatch == Published):
		w.fail("the window has begun: %t, for callers: %t, and should have: %t", begun, posted, v.begun)
	case begun && (slice != v.newest || calls != v.inNewest(r)):
		w.fail("slice %d has %d calls, and it should be %d with %d", slice, calls, v.newest, v.inNewest(r))
	}
	if m := w.turning.message; m != nil && m.Kind == guard.Report {
		if is, ought := s.Window(now), v.count(r, now); is != ought {
			w.fail("the window has %+v, and should have %+v", is, ought)
		}
	}
}

// rested takes note of what a sweep has made of the window of st.
func (w *world) rested(st *site, now int64) {
	a := st.account
	b := &a.circuit
	if b.window.isOver(b.rules, now) && w.is(b, now) == breaker.Closed && !b.window.marked(b.rules, now) && b.row == 0 && b.grown(now) == 0 {
		b.window.drop()
	}
	if _, _, posted := st.gate.Newest(); posted != (b.window.begun && !b.forced && b.state == breaker.Closed && w.cfg.Dispatch == Published) {
		w.fail("a sweep has left callers to count successes: %t, and the window has begun: %t", posted, b.window.begun)
	}
}

// torn takes note of what a turn that panicked has left in the window: the slice that it has begun, and a call that it has
// counted and that is not known as a failure.
func (w *world) torn(st *site) {
	b := &st.account.circuit
	if !b.window.begun || st.state == nil {
		return
	}
	if slice, calls, ok := st.state.Newest(); ok {
		b.window.open(b.rules, slice*b.rules.width)
		if n := calls - b.window.inNewest(b.rules); n == 1 {
			b.window.add(b.rules, naiveEnd{slice: slice})
		}
	}
}
