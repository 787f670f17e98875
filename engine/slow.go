package engine

// timed takes note of when the call of a begins, if the breaker judges slow calls. The call's context is looked at
// after that: while the clock is read, the context may end.
func (e *Engine) timed(a *admission) {
	if e.settings.Load().slow {
		a.began = e.nowOr(0)
	}
}

// timed takes note of when an attempt begins, for the breakers that judge slow calls.
func (c *call) timed() {
	for i := range c.links {
		if c.decides(i) {
			c.links[i].eng.timed(&c.got[i].admission)
		}
	}
}

// isSlow reports whether the call of a was slow, by the present reading of the clock, and counts it then.
func (e *Engine) isSlow(a *admission, outcome Outcome) bool {
	after := a.cell.Published.Policy().SlowAfter()
	if after == 0 || a.began == 0 || outcome == Ignore || e.nowOr(a.began)-a.began < after {
		return false
	}
	e.counters.Slow.Add(1)
	return true
}
