package engine

// settleShadow looks at the refusals that an engine in shadow counts: one more is that of the person that goes on, whose
// call goes on with nothing.
func (c *caller) settleShadow() {
	w := c.w
	n := w.eng.counters.ShadowRefused.Load()
	if n == w.shadowed {
		return
	}
	refused := c.answered && c.answer.Err != nil || c.reason != nil || c.account.site != c.was || c.was == nil // no room for the key
	switch {
	case n != w.shadowed+1 || !c.wasDark(false) || !c.deciding || c.hasDecided():
		w.fail("caller %d counts %d refusals in shadow", c.id, n-w.shadowed)
	case c.debit.account != nil || c.placed:
		w.fail("caller %d would have been refused, and has tokens, or a place: %t", c.id, c.placed)
	case !refused && !c.anyShort() && c.wasOpen == 0 && !c.wasFull && !c.wasAbove:
		w.fail("caller %d would have been refused %d tokens in shadow, and nothing was in its way", c.id, c.n)
	}
	w.shadowed = n
	c.inShadow, c.answered, c.passed = true, false, false
	w.note(21, c.id, int64(n))
}

// wasDark reports whether the engine has been in shadow since the attempt began: all the time, or at some time.
func (c *caller) wasDark(all bool) bool {
	dark := all
	for r := c.rules; r != nil; r = r.next {
		dark = all && dark && r.shadow || !all && (dark || r.shadow)
	}
	return dark
}

// checkShadow makes sure that an engine in shadow refuses nobody, if it has been so since the attempt began.
func (c *caller) checkShadow(r *Rejection) {
	if c.wasDark(true) && r.Stage != "" {
		c.w.fail("caller %d was refused in shadow: %v", c.id, r)
	}
}
