package engine

import (
	"math/bits"
	"time"

	"github.com/limitpal/limitpal-go/actors"
)

// leaver is a running actor that a caller asks to leave because it needs room for a key.
type leaver struct {
	site   *site
	player *player
}

// create is a try to make the cell of a name that has none. With actors.ErrKeyLimit come actors that may be able to make room, if those
// are wanted. It is what actors.System does under its lock.
func (w *world) create(a *account, name string, wanted bool, leavers []leaver) (*site, []leaver, error) {
	leavers = leavers[:0]
	if w.closed {
		return nil, leavers, actors.ErrClosed
	}
	if a.site != nil {
		return a.site, leavers, nil
	}
	if len(w.cells) < w.maxKeys {
		return w.insert(a, name), leavers, nil
	}
	now := w.reading()
	var coldest *site
	var least int64 = actors.Never
	for range w.cells {
		if w.hand++; w.hand >= len(w.cells) {
			w.hand = 0
		}
		s := w.cells[w.hand]
		if s.player != nil {
			if len(leavers) < 8 {
				leavers = append(leavers, leaver{s, s.player})
			}
			continue
		}
		if w.retire(s, now, now) {
			return w.insert(a, name), leavers[:0], nil
		}
		var left *state
		if s.rested {
			left = &s.rest
		}
		if rank := w.k.SpillRank(&s.gate, left); rank < least {
			coldest, least = s, rank
		}
	}
	switch {
	case wanted && len(leavers) > 0 && (coldest == nil || w.oneIn(2)):
		return nil, leavers, actors.ErrKeyLimit
	case coldest != nil:
		w.spill(coldest)
		return w.insert(a, name), leavers[:0], nil
	}
	return nil, leavers[:0], actors.ErrKeyLimit
}

// insert makes the cell of a, which has none.
func (w *world) insert(a *account, name string) *site {
	if a.site != nil {
		w.fail("a second cell for %q", name)
	}
	s := w.sites.new()
	s.account, s.name, s.index = a, name, len(w.cells)
	s.slot = mostCallers + bits.TrailingZeros64(^w.slots)
	w.slots |= 1 << (s.slot - mostCallers)
	w.cells = append(w.cells, s)
	a.site = s
	now := w.reading()
	w.born(a, now)
	var newborn state
	if next := w.k.Init(now, name, &s.gate, &newborn); !next.Clean {
		s.rest, s.rested, s.forget, s.used = newborn, true, next.Forget, -w.idle
	}
	s.generation = s.gate.generation.Load()
	w.note(1, s.slot, now)
	w.checkWord(s, now)
	return s
}

// retire forgets s, which has no actor, if it is as new and was not used after unused.
func (w *world) retire(s *site, now, unused int64) bool {
	if s.rested && (s.forget > now || s.used > unused) || !w.k.Retire(unused, &s.gate) {
		return false
	}
	s.finalPeriod = s.account.circuit.period
	if !w.asNew(s.account, now) {
		w.fail("the cell of %q was retired and is not as a new one", s.name)
	}
	s.account.asNewAt = w.events
	w.remove(s)
	return true
}

// spill forgets s although it is not as new.
func (w *world) spill(s *site) {
	var left *state
	if s.rested {
		left = &s.rest
	}
	s.finalPeriod = s.account.circuit.period
	w.k.Spill(s.name, &s.gate, left)
	w.spilled(s.account)
	w.remove(s)
}

func (w *world) remove(s *site) {
	w.note(2, s.slot, w.now)
	s.retired, s.rested = true, false
	s.generation, s.standing = s.gate.generation.Load(), s.gate.standing.Load()
	last := w.cells[len(w.cells)-1]
	last.index = s.index
	w.cells[s.index] = last
	w.cells = w.cells[:len(w.cells)-1]
	w.slots &^= 1 << (s.slot - mostCallers)
	s.account.site = nil
}

// obey has the actor of s carry out an order.
func (w *world) obey(s *site) {
	p, e := s.player, s.player.current
	w.note(3, s.slot, int64(e.order))
	if e.order == stopOrder {
		w.stop(s)
		return
	}
	if now := w.reading(); p.next.Wake == actors.Never && p.used <= e.since && p.failed <= now && w.leave(s) {
		w.retire(s, now, min(e.unused, now))
	}
	if e.order == leaveOrder {
		w.wakeAt(e.from, w.now)
	}
}

// stop refuses what is queued and fails what is owed.
func (w *world) stop(s *site) {
	p := s.player
	for ; p.box.n > 0; p.box.pop() {
		p.current = *p.box.at(0)
		e := &p.current
		switch e.order {
		case noOrder:
			w.admitted(e)
			w.k.Refuse(&e.m, actors.ErrClosed)
		case leaveOrder:
			w.wakeAt(e.from, w.now)
		}
	}
	now := w.reading()
	p.next = w.k.Fail(now, &s.gate, &p.state, actors.ErrClosed)
	for i := range p.queue {
		if q := &p.queue[i]; !q.left && len(q.req.Answered()) == 0 {
			w.fail("caller %d waited in the queue at the end and was not answered", q.who)
		}
	}
	p.queue = p.queue[:0]
	w.collectRefused(s, nil, actors.ErrClosed)
	w.depart(s)
}

// order puts an order of the supervisor, or of a caller, if there is room.
func (w *world) order(s *site, e envelope) bool {
	if s.player.box.n >= room {
		return false
	}
	s.player.box.push(&e)
	w.arrange(s)
	return true
}

// sweep looks at every cell once, as the supervisor does.
func (w *world) sweep() {
	w.note(4, 0, w.now)
	now := w.reading()
	for i := len(w.cells) - 1; i >= 0; i-- {
		s := w.cells[i]
		s.starts = 0
		switch {
		case s.player == nil:
			w.retire(s, now, now-w.idle)
		case now-s.player.used >= w.linger:
			w.order(s, envelope{order: idleOrder, since: now - w.linger, unused: now - w.idle})
		}
	}
	w.sweepAt = w.now + max(w.idle/8, int64(time.Millisecond))
}

// end closes the engine: nothing new begins, and every actor is told to stop.
func (w *world) end() {
	w.note(5, 0, w.now)
	w.closed = true
	for _, s := range w.cells {
		if s.player != nil {
			s.player.box.push(&envelope{order: stopOrder})
			w.arrange(s)
		}
	}
	for i := range w.callers {
		if w.people[i].phase == backing {
			w.wakeAt(i, w.now)
		}
	}
}

// longestNight is for how long all callers may rest.
const longestNight = 10 * time.Hour

// night has everyone who rests do so for a while. The others go on, and timers fire in time.
func (w *world) night(length int64) {
	for id := range w.callers {
		if w.people[id].phase == resting {
			w.wakeAt(id, w.now+length+w.spread(1, w.tick))
		}
	}
}

// nature is what happens to all: the clock steps, time passes, the supervisor looks, the engine is closed.
func (w *world) nature() {
	if w.now >= w.sweepAt && !w.closed {
		w.sweep()
	}
	step := w.spread(1, int64(time.Hour))
	switch w.below(16) {
	case 0:
		w.offset += step
	case 1:
		if !w.steady {
			w.offset -= step
		}
	case 2: // the process is stopped
		w.now += w.spread(1, w.nights)
	case 3:
		w.night(w.within(longestNight))
	}
	w.note(6, 0, w.offset)
}
