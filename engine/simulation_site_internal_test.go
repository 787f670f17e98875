package engine

import (
	"github.com/limitpal/limitpal-go/actors"
)

// site is the cell of a key, in the place of actors.Cell.
type site struct {
	gate    gate
	account *account
	name    string
	slot    int // its bit, while it stands for its key
	index   int // in world.cells
	player  *player
	rest    state
	rested  bool  // rest is what the last actor left behind
	forget  int64 // of rest
	used    int64 // of rest
	starts  uint8
	retired bool

	generation               uint64 // that was published last
	birthPeriod, finalPeriod uint64 // of the naive circuit
	standing                 *Rejection
}

// player is a running actor.
type player struct {
	state, good  state
	next         actors.Next
	used, forget int64
	hot          bool // it was started often
	stays        bool // although it has nothing to wait for
	leaving      bool // it has nothing to wait for, and is about to leave
	failed       int64
	restarts     []int64
	armedFor     int64
	dueAt        int64 // when the timer fires, on the world's clock; it may be late
	box          box
	current      envelope
	awaiting     uint64   // the callers whose message has been put and who wait for the answer
	queue        []waiter // the callers that wait for the limiter, as the naive model has them
	moved        int64    // when one that was the first of them last left without tokens
}

// waiter is a caller in the queue.
type waiter struct {
	req     *request
	who     int
	n       int64
	since   int64
	breaker bool
	left    bool
	under   naiveProbe
}

// envelope is what travels in a mailbox: a message of a caller, or an order to leave.
type envelope struct {
	m      message
	from   int
	period uint64     // report: of the naive circuit, when it let the call through
	under  naiveProbe // ask: in whose function the call is made
	order  orderKind
	since  int64
	unused int64
}

type orderKind uint8

const (
	noOrder    orderKind = iota
	idleOrder            // of the supervisor
	leaveOrder           // of a caller that needs room, and waits
	stopOrder
)

// room is how many envelopes a mailbox holds. Who puts more waits, in order.
const room = 8

// box is a mailbox, and behind it those that wait for room.
type box struct {
	ring [64]envelope
	head int
	n    int
}

func (b *box) at(i int) *envelope { return &b.ring[(b.head+i)%len(b.ring)] }

func (b *box) push(e *envelope) {
	*b.at(b.n) = *e
	b.n++
}

func (b *box) pop() {
	b.head = (b.head + 1) % len(b.ring)
	if b.n--; b.n == 0 {
		b.head = 0
	}
}

// withdraw takes out what a caller that waits for room wanted to put.
func (b *box) withdraw(from int) bool {
	for i := room; i < b.n; i++ {
		if e := b.at(i); e.order == noOrder && e.from == from { // the supervisor may wait for room, too
			for ; i+1 < b.n; i++ {
				*b.at(i) = *b.at(i + 1)
			}
			b.n--
			return true
		}
	}
	return false
}

// arena has the sites of a scene. A retired one stays until the end, so that a late write to it is found.
type arena struct {
	chunks []*[256]site
	n      int
}

func (a *arena) clear() { a.n = 0 }

func (a *arena) at(i int) *site { return &a.chunks[i/256][i%256] }

func (a *arena) new() *site {
	if a.n == 256*len(a.chunks) {
		a.chunks = append(a.chunks, new([256]site))
	}
	s := a.at(a.n)
	*s = site{}
	a.n++
	return s
}

// cellAt is the cell whose bit is id.
func (w *world) cellAt(id int) *site {
	for _, s := range w.cells {
		if s.slot == id {
			return s
		}
	}
	w.fail("there is no cell in slot %d", id)
	return nil
}

// start gives s an actor.
func (w *world) start(s *site) {
	if s.player != nil {
		w.fail("a second actor for %q", s.name)
	}
	var p *player
	if n := len(w.idlers); n > 0 {
		p, w.idlers = w.idlers[n-1], w.idlers[:n-1]
	} else {
		p = new(player)
	}
	p.state, p.good = state{}, state{}
	p.next = actors.Next{Wake: actors.Never, Clean: !s.rested}
	p.hot, p.stays, p.leaving = s.starts == 3, false, false
	if !p.hot {
		s.starts++
	}
	if s.rested {
		p.state, p.next.Forget = s.rest, s.forget
	} else {
		w.k.Resume(s.name, &s.gate, &p.state)
	}
	p.forget = p.next.Forget
	if p.used = -w.idle; s.rested {
		p.used = s.used
	}
	p.failed, p.restarts = 0, p.restarts[:0]
	p.armedFor, p.queue, p.moved = actors.Never, p.queue[:0], 0
	p.box.head, p.box.n, p.awaiting = 0, 0, 0
	s.player = p
}

// leave ends the actor of s if its mailbox is empty, and reports whether it has gone.
func (w *world) leave(s *site) bool {
	if s.player.box.n > 0 {
		return false
	}
	w.depart(s)
	return true
}

// depart leaves in the cell what the next actor has to find.
func (w *world) depart(s *site) {
	p := s.player
	if len(p.queue) > 0 {
		w.fail("the actor of %q leaves, and callers wait", s.name)
	}
	s.rested = !p.next.Clean
	if s.rested {
		s.rest, s.forget, s.used = p.state, p.next.Forget, p.used
	} else if len(w.limits) <= 1 && s.gate.word.Load() < 0 {
		w.fail("the actor of %q leaves nothing behind, and the gate is shut", s.name)
	}
	s.player = nil
	w.idlers = append(w.idlers, p)
	w.ready &^= 1 << s.slot
	w.timed &^= 1 << s.slot
}

// arrange says when s goes on: when there is something in its mailbox, or its timer fires.
func (w *world) arrange(s *site) {
	p := s.player
	if p == nil {
		return
	}
	if p.next.Wake == actors.Never {
		p.armedFor = actors.Never
	} else if at := max(p.next.Wake, p.failed); p.armedFor != at {
		p.armedFor = at
		p.dueAt = w.now + max(0, at-w.reading())
		if w.oneIn(4) {
			p.dueAt += w.spread(1, w.tick) // timers are late
		}
	}
	switch {
	case p.box.n > 0 || p.leaving:
		w.wakeAt(s.slot, w.now)
	case p.armedFor != actors.Never:
		w.wakeAt(s.slot, p.dueAt)
	default:
		w.block(s.slot)
	}
}

// act is a step of an actor: it leaves, takes a message, or wakes.
func (w *world) act(s *site) {
	p := s.player
	fired := p.armedFor != actors.Never && p.dueAt <= w.now
	switch {
	case p.leaving:
		p.leaving = false
		if p.hot && w.oneIn(2) { // there is a seat
			p.stays = true
		} else if w.leave(s) {
			return
		}
	case p.box.n > 0 && (!fired || w.oneIn(2)):
		w.receive(s)
	case fired:
		p.armedFor = actors.Never
		w.wake(s)
	}
	if s.player == p {
		p.leaving = p.next.Wake == actors.Never && !p.stays && p.box.n == 0
		w.arrange(s)
	}
}
