package engine

import (
	"github.com/limitpal/limitpal-go/actors"
)

// request is one that is ready to be asked, from a list of the world's own: which one a sync.Pool gives does not follow from the seed.
func (w *world) request(c *caller) *request {
	if c.req != nil {
		w.fail("caller %d asks and has not had the answer to its last question", c.id)
	}
	if n := len(w.spare); n > 0 {
		c.req, w.spare = w.spare[n-1], w.spare[:n-1]
		c.req.Reset()
	} else {
		c.req = &request{Call: actors.NewCall[answer]()}
	}
	return c.req
}

// release gives back the request of c, which has ended.
func (w *world) release(c *caller) {
	w.retired(c.req)
	c.req = nil
}

// retired takes a request that nobody has any more.
func (w *world) retired(r *request) {
	if len(r.Answered()) > 0 || r.queued {
		w.fail("a request has ended and is still answered (%d) or in the line (%v)", len(r.Answered()), r.queued)
	}
	w.spare = append(w.spare, r)
}

// ended follows the turn of m: the request of a caller that has left is the actor's until then.
func (w *world) ended(m *message) {
	if m.kind == cancel {
		w.retired(m.req)
	}
}

// send has c put its message in a step of its own.
func (w *world) send(c *caller, by phase) {
	c.sentBy, c.answered = by, false
	w.goOn(c, sending)
}

// post puts c's message into the mailbox of the cell's actor, which it starts if none runs.
func (w *world) post(c *caller) {
	s := c.site
	if s.player == nil {
		switch {
		case w.closed:
			w.unsent(c, actors.ErrClosed)
			return
		case s.retired:
			w.unsent(c, actors.ErrRetired)
			return
		}
		w.start(s)
	}
	p := s.player
	p.box.push(&envelope{m: c.m, from: c.id, period: c.period, under: c.under})
	if c.m.kind != cancel && c.m.req != nil {
		p.awaiting |= 1 << c.id
	}
	w.arrange(s)
	if p.box.n <= room {
		w.delivered(c)
		return
	}
	c.phase = putting
	w.block(c.id)
	if c.m.kind == ask && !c.stays() {
		w.wakeAt(c.id, c.over())
	}
}

// admitted is for a message that has got into the mailbox after its sender had waited for room.
func (w *world) admitted(e *envelope) {
	if c := &w.people[e.from]; e.order == noOrder && c.phase == putting {
		w.delivered(c)
	}
}

// delivered is c when its message is in the mailbox.
func (w *world) delivered(c *caller) {
	switch {
	case c.m.kind == cancel:
		w.finish(c)
	case c.m.req == nil:
		w.reported(c)
	default:
		c.phase = awaiting
		w.block(c.id)
		if c.m.kind == ask && !c.stays() {
			w.wakeAt(c.id, c.over())
		}
	}
}

// unsent is c when its message was not and will not be processed.
func (w *world) unsent(c *caller, err error) {
	s := c.site
	if c.req != nil {
		w.release(c)
	}
	if err == actors.ErrRetired {
		c.lost(s)
	}
	switch {
	case c.m.kind == cancel:
		if err == actors.ErrRetired {
			w.retired(c.m.req)
		}
		w.finish(c)
	case err == actors.ErrClosed && c.m.kind == report:
		w.reported(c)
	case err == actors.ErrClosed:
		w.refused(c, ErrClosed, 0)
	case c.m.kind == report:
		w.successor(c, s)
	default:
		w.goOn(c, c.sentBy)
	}
}

// await takes the answer, or leaves when the context has ended.
func (w *world) await(c *caller) {
	asked := c.m.kind == ask && !c.stays()
	if asked && c.req.Leave() == c.answered {
		w.fail("caller %d was answered (%v) and could leave, or neither", c.id, c.answered)
	}
	if !c.answered {
		p := c.site.player
		if !asked || p == nil {
			w.fail("caller %d has no answer, and its actor has left (%v)", c.id, p == nil)
		}
		p.awaiting &^= 1 << c.id
		for i := range p.queue {
			if p.queue[i].req == c.req {
				p.queue[i].left = true
			}
		}
		c.m = message{kind: cancel, req: c.req}
		c.req = nil
		w.send(c, awaiting)
		return
	}
	w.release(c)
	err := c.answer.err
	switch c.m.kind {
	case ask:
		if err != nil {
			w.refused(c, err, c.answer.at)
			return
		}
		c.permit = c.answer.permit
		w.granted(c)
	case report:
		w.reported(c)
	case inspect:
		switch {
		case err != nil || c.sentBy == inspecting:
			w.finish(c)
		default:
			w.sleep(c)
		}
	default:
		if err != nil { // the actor has panicked too often, and refuses everything
			c.resetKnown &^= 1 << c.key
		}
		w.pardonNext(c)
	}
}
