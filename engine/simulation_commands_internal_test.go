package engine

import (
	"context"
	"math/bits"
	"slices"
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// inspect has the caller look at its key.
func (c *caller) inspect() {
	w := c.w
	c.phase, c.account, c.told = inspecting, &w.keys[c.key], false
	s, known := w.eng.Inspect(keyNames[c.key])
	if !known || c.told && c.toldErr != nil {
		return
	}
	if !c.told { // read off the gate, at the last reading
		w.expectSnapshot(c, c.account, c.given)
	}
	w.checkSnapshot(c, s)
}

// reset has the caller reset a key.
func (c *caller) reset(key int) {
	w, a := c.w, &c.w.keys[key]
	c.phase, c.key, c.account, c.told = resetting, key, a, false
	w.eng.Reset(keyNames[key])
	switch {
	case c.told || w.eng.ended.Load():
	case a.site != nil:
		w.fail("caller %d has reset %q, which is known, and there was no turn", c.id, keyNames[key])
	default: // the sketch forgets the key's debt
		w.forgive(a, 0)
	}
}

// resetAll is Engine.ResetAll, with the keys in an order that follows from the seed.
func (c *caller) resetAll() {
	w := c.w
	if w.b.Collecting() {
		return // one at a time; it would wait
	}
	c.phase = resetting
	since, known := w.events, uint64(0)
	for i := range w.keys {
		if a := &w.keys[i]; a.site == nil {
			w.forgive(a, 0)
		} else {
			known |= 1 << i
		}
	}
	keys := w.b.Census(w.eng.system)
	slices.Sort(keys)
	for _, key := range keys {
		c.reset(slices.Index(keyNames[:], key))
	}
	for left := known; !w.closed && left != 0; left &= left - 1 {
		if i := bits.TrailingZeros64(left); w.keys[i].cleanAt < since && !w.keys[i].failing {
			w.fail("ResetAll is over, and %q, which was known when it began, has not been reset", keyNames[i])
		}
	}
}

// operator is the caller that ends the scene's engine.
const operator = mostCallers - 1

// operate has the operator close the engines, and lets all go on until they are closed.
func (u *universe) operate() {
	p := u.persons[operator]
	if !u.over {
		u.close(u.worlds)
	}
	for left := eventsToDrain; p.phase == closing; left-- {
		if left == 0 || !u.step() {
			u.stuck()
		}
	}
}

// close has the operator begin to close engines.
func (u *universe) close(worlds []*world) {
	u.note(5, 0, u.now)
	p := u.persons[operator]
	u.over = true
	for _, w := range worlds {
		w.closed = true
	}
	for _, w := range u.worlds {
		u.over = u.over && w.closed
	}
	if p.phase != closing {
		p.begin()
		p.phase = closing
		u.wakeAt(operator, u.now)
	}
}

// shut closes the engines that are to be closed.
func (p *person) shut() {
	for i := 0; i < len(p.u.worlds); i++ {
		w := p.u.worlds[i]
		if !w.closed || w.ended {
			continue
		}
		if err := w.eng.Close(context.Background()); err != nil {
			w.fail("close: %v", err)
		}
		w.ended, i = true, -1 // meanwhile another one may be told to close
	}
	p.phase = parked
	p.u.ready &^= 1 << p.id
}

// nature is what happens to all: the clock steps, time passes.
func (u *universe) nature() {
	step := u.spread(1, int64(time.Hour))
	switch u.below(16) {
	case 0:
		u.offset += step
	case 1:
		if !u.steady {
			u.offset -= step
		}
	case 2: // the process is stopped
		u.suspend(u.spread(1, u.nights))
	case 3:
		u.night(u.within(longestNight))
	}
	u.note(6, 0, u.offset)
}

// These two decide how far the time of a scene gets. While callers rest, every engine sweeps eight
// times in its IdleAfter, at a few events each: the longer IdleAfter is, the fewer events a night
// takes. Nights are long in proportion, so that sweeps stay the share of all events that they are.
const (
	longestNight = 240 * time.Hour // for which all callers may rest
	longestIdle  = 20 * time.Minute
)

// night has each caller that rests do so for a while. The others go on, and timers fire in time.
func (u *universe) night(length int64) {
	for id := range u.callers {
		if u.persons[id].phase == resting {
			u.wakeAt(id, u.now+length+u.spread(1, u.tick))
		}
	}
}

// checkDemand checks what is asked for c. A chain asks for tokens first, and for a permit later.
func (c *caller) checkDemand(d *guard.Demand) {
	chain := len(c.links) > 1
	permit := chain && c.asks && d.Tokens == 0 && d.Stay == guard.NoStay && !d.Split
	split := chain && c.asks && d.Tokens == c.n && d.Split
	inLine := chain && c.asks && d.Tokens == 0 && !d.Split && d.Stay != guard.NoStay // for a place, and nothing else
	rest := chain && c.asks && c.placed && !d.Breaker                                // the tokens, place and permit in hand
	plain := d.Tokens == c.n && !d.Split && (!chain || !c.asks || rest)
	long := c.stay == guard.NoStay && d.Stay >= 0 || c.stay > 0 && (d.Stay == guard.AsLong || d.Stay > 0 && d.Stay > c.stay-c.waited)
	c.asked = max(c.given, c.since)
	if c.mode != d.Mode || c.asks != (d.Breaker || rest) || long || !permit && !split && !plain && !inLine || c.hasDecided() {
		c.w.fail("caller %d asks for %+v, and may stay for %d", c.id, d, c.stay)
	}
	if from := c.from(); (d.From == nil) != (from == plainRow) || d.From != nil && d.From.Key != keyNames[from%mostNames] {
		c.w.fail("caller %d comes through %+v", c.id, d.From)
	}
}

// Sending implements driver.
func (w *world) Sending(m guard.Message) {
	c := w.caller()
	c.message = m
	switch m.Kind {
	case guard.Report:
		if c.deciding && c.holdsProbe() && !c.hasDecided() { // its function does not begin
			if m.Outcome != Ignore {
				w.fail("caller %d reports %v of a probe that it has not made", c.id, m.Outcome)
			}
			c.answered = false
			break
		}
		if !c.owes && !c.may && !w.switchedSince(c.ranAt.rules) {
			w.fail("caller %d reports %v, and there is nothing to report", c.id, m.Outcome)
		}
		if m.Outcome != c.outcome {
			w.fail("caller %d reports %v, and its call ended with %v", c.id, m.Outcome, c.outcome)
		}
		if m.Outcome != Ignore {
			c.checkSlow(m.Slow, c.account.circuit.rules)
		}
		c.owes, c.may, c.success = false, false, success{}
	case guard.Ask:
		c.checkDemand(&m.Demand)
		c.goesOn()
	}
	if m.Request != nil && (m.Kind != guard.Report || m.Answers != nil) {
		w.askers[m.Request] = c
		c.req, c.pending = m.Request, true
	}
}
