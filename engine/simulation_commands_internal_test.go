package engine

import (
	"math/bits"
	"slices"
)

// report is Engine.report. What need not be reported is compared with the naive circuit.
func (w *world) report(c *caller) {
	g := &c.site.gate
	probe := c.permit.Lease != 0
	content := w.eng.dispatch == Published && c.outcome == Success && !probe && g.content()
	if content && !c.site.retired {
		w.checkContent(c.site)
	}
	if c.outcome == Ignore && !probe || content {
		w.reported(c)
		return
	}
	c.m = message{kind: report, permit: c.permit, outcome: c.outcome}
	w.sendReport(c)
}

func (w *world) sendReport(c *caller) {
	if w.eng.dispatch == Published && c.outcome != Success && c.permit.Lease == 0 {
		c.m.req = w.request(c)
		c.m.answers = c.m.req.Answers()
	}
	w.send(c, reporting)
}

// successor is what a report does when the cell that let the call through has retired: it counts for the present cell if the call was one
// of the last period of its own.
func (w *world) successor(c *caller, s *site) {
	late := c.permit.Generation != s.gate.generation.Load() && !c.m.reborn
	if late != (c.period != s.finalPeriod && !c.m.reborn) {
		w.fail("a report to a cell that has retired is late: %v, but of period %d, and the last was %d", late, c.period, s.finalPeriod)
	}
	if late {
		w.reported(c)
		return
	}
	c.m.reborn, c.m.req = true, nil
	if c.outcome == Success && w.keys[c.key].site == nil {
		w.reported(c)
		return
	}
	w.goOn(c, succeeded)
}

func (w *world) reportAgain(c *caller) { w.sendReport(c) }

// inspect asks for a snapshot of c's key; unknown goes on with one that is not known.
func (w *world) inspect(c *caller, unknown func(*caller)) {
	s := w.keys[c.key].site
	if s == nil {
		unknown(c)
		return
	}
	c.site = s
	c.snapshot = Snapshot{Limits: c.snapshot.Limits[:0]}
	c.m = message{kind: inspect, req: w.request(c)}
	c.m.req.snapshot = &c.snapshot
	c.m.answers = c.m.req.Answers()
	w.send(c, c.phase)
}

// findToReset goes on with the cell, if there is one.
func (w *world) findToReset(c *caller) {
	s := w.keys[c.key].site
	if s == nil {
		w.goOn(c, pardoning)
		if w.oneIn(2) {
			w.wakeAt(c.id, w.now+w.spread(1, 4*w.tick)) // it is stopped between the two steps
		}
		return
	}
	c.site = s
	c.m = message{kind: reset, req: w.request(c)}
	c.m.answers = c.m.req.Answers()
	w.send(c, resetting)
}

// pardon has the sketch forget what it had of c's key, if there still is no cell.
func (w *world) pardon(c *caller) {
	a := &w.keys[c.key]
	if a.site != nil {
		w.goOn(c, resetting)
		return
	}
	w.k.sketch.pardon(keyNames[c.key])
	w.forgive(a, 0)
	w.pardonNext(c)
}

// resetAll begins Engine.ResetAll: what is remembered is forgotten, and the census begins.
func (w *world) resetAll(c *caller) {
	if w.k.census.open {
		w.finish(c) // one at a time; it would wait
		return
	}
	w.wash()
	w.k.sketch.clear()
	w.lend()
	w.k.census.begin()
	c.pending, c.counted, c.resetSince, c.resetKnown = 0, 0, w.events, 0
	for i := range w.keys {
		a := &w.keys[i]
		if a.site == nil {
			w.forgive(a, 0)
		} else {
			c.resetKnown |= 1 << i
		}
	}
	w.goOn(c, counting)
}

// count is a step of the census: it comes by some keys, and those that are known then are to be reset. At its end come those that were
// spilled meanwhile.
func (w *world) count(c *caller) {
	for range 1 + w.below(4) {
		if c.counted == len(w.keys) {
			break
		}
		if w.keys[c.counted].site != nil {
			c.pending |= 1 << c.counted
		}
		c.counted++
	}
	if c.counted < len(w.keys) {
		w.goOn(c, counting)
		return
	}
	w.k.census.open = false
	var collected []string
	for left := c.pending; left != 0; left &= left - 1 {
		collected = append(collected, keyNames[bits.TrailingZeros64(left)])
	}
	c.pending = 0
	for _, key := range w.k.census.end(collected) {
		c.pending |= 1 << slices.Index(keyNames[:], key)
	}
	w.pardonNext(c)
}

// pardonNext goes on with the next key of ResetAll.
func (w *world) pardonNext(c *caller) {
	if c.pending == 0 {
		for left := c.resetKnown; c.resetSince > 0 && !w.closed && left != 0; left &= left - 1 {
			if i := bits.TrailingZeros64(left); w.keys[i].asNewAt < c.resetSince {
				w.fail("ResetAll is over, and %q, which was known when it began, has not been reset", keyNames[i])
			}
		}
		w.finish(c)
		return
	}
	c.key = bits.TrailingZeros64(c.pending)
	c.pending &= c.pending - 1
	w.goOn(c, resetting)
}
