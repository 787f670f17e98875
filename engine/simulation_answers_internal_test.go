package engine

import "github.com/limitpal/limitpal-go/breaker"

// collect compares the answers of a turn with those expected, one by one, and finds those that nobody expected.
func (w *world) collect(s *site) {
	p, t := s.player, &w.turning
	for id := range w.callers {
		bit := uint64(1) << id
		c := &w.people[id]
		if p.awaiting&bit == 0 {
			if t.answers&bit != 0 {
				w.fail("caller %d is to be answered and does not wait", id)
			}
			continue
		}
		if t.answers&bit == 0 {
			if len(c.req.Answered()) > 0 {
				a := <-c.req.Answered()
				w.fail("caller %d was answered %v, at %d, and should not have been", id, a.err, a.at)
			}
			continue
		}
		e := &t.expected[id]
		if len(c.req.Answered()) == 0 {
			w.fail("caller %d was not answered, and should have been: %v, at %d", id, e.err, e.at)
		}
		a := <-c.req.Answered()
		w.note(10, id, a.at^int64(a.permit.Generation))
		if a.err != e.err || a.at != e.at || a.permit.Lease != e.lease || a.under != e.under {
			w.fail("caller %d was answered %v, at %d, lease %d, and should have been: %v, at %d, lease %d; the turn is at %d",
				id, a.err, a.at, a.permit.Lease, e.err, e.at, e.lease, t.now)
		}
		c.period, c.seen, c.decided = e.period, e.version, t.now
		if c.m.kind == inspect {
			w.checkSnapshot(c)
		}
		w.answer(s, c, a)
	}
}

// answer hands an answer over.
func (w *world) answer(s *site, c *caller, a answer) {
	s.player.awaiting &^= 1 << c.id
	c.answer, c.answered, c.phase = a, true, awaiting
	w.wakeAt(c.id, w.now)
}

// collectRefused hands over the answers of a turn that failed. e is the envelope whose turn it was, if there was one.
func (w *world) collectRefused(s *site, e *envelope, err error) {
	p := s.player
	for id := range w.callers {
		c := &w.people[id]
		if p.awaiting>>id&1 == 0 || len(c.req.Answered()) == 0 {
			continue
		}
		a := <-c.req.Answered()
		if a.err != err {
			w.fail("caller %d was answered %v after %v", id, a.err, err)
		}
		w.note(11, id, 0)
		w.answer(s, c, a)
	}
	if e != nil && e.m.kind != cancel && e.m.req != nil && w.people[e.from].req == e.m.req && !w.people[e.from].answered {
		w.fail("the message of caller %d had no turn and no answer", e.from)
	}
}

// collectGranted hands over what a turn had granted before it panicked.
func (w *world) collectGranted(s *site) {
	p := s.player
	passedOver := false
	for _, q := range p.queue {
		if q.left {
			continue
		}
		c := &w.people[q.who]
		if len(q.req.Answered()) == 0 {
			w.fail("caller %d waited while a turn panicked, and was not answered", q.who)
		}
		a := <-q.req.Answered()
		switch {
		case a.err == nil && (passedOver || q.breaker):
			w.fail("caller %d was granted its turn out of order by a turn that panicked", q.who)
		case a.err == nil:
			w.take(s.account, w.reckoned(p, s.account, &q), q.n, true)
		case a.err == errFuse || a.err == breaker.ErrOpen && q.breaker:
			passedOver = true
		default:
			w.fail("caller %d was answered %v by a turn that panicked", q.who, a.err)
		}
		w.answer(s, c, a)
	}
}
