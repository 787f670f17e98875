package engine

import (
	"context"
	"iter"
	"math"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// phase is what a person is about, for the trace.
type phase uint8

const (
	resting phase = iota
	calling
	inFn
	admitting
	allowing
	acquiring
	inspecting
	resetting
	changing
	forcing
	charging
	closing
	parked     // until the end of the scene
	mostPhases = iota
)

// person is a goroutine that uses the engines, as a coroutine.
type person struct {
	runner
	u     *universe
	id    int
	phase phase
	kind  phase // of the call
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool

	due   int64       // goes on then; see universe.timed
	until func() bool // goes on if true; see universe.waiting

	ctx  *simContext
	ends int64 // the context's Done is closed then; see universe.ending

	links []*caller // of what the person is about, from narrow to wide
	room  [mostEngines]*caller

	stay   int64 // guard.Demand.Stay of the call
	asked  int64 // the instant of the last ask, at the latest
	waited int64 // of stay, at least
	mode   limiter.Mode
	asks   bool // the breaker, too

	// An attempt is under way, from its beginning until its function begins or the call ends.
	deciding bool
	since    int64 // the reading with which the attempt began, or the end of its last wait
	decided  int64 // the instant of the decision

	fnCtx    context.Context
	attempts int
	began    int64 // the reading before the first attempt

	changing *world // whose configuration it changes

	hold *Hold // of the call; nil if it keeps no place

	hope   error // what the call was refused for; the person comes back at the instant that the refusal told
	hopeAt int64
}

func newPerson(u *universe, id int) *person {
	p := &person{u: u, id: id}
	p.runner.person = p
	p.next, p.stop = iter.Pull(func(yield func(struct{}) bool) {
		p.yield = yield
		for yield(struct{}{}) {
			p.live()
		}
	})
	p.next()
	return p
}

// begin makes the person ready for a scene.
func (p *person) begin() {
	p.phase, p.hope, p.deciding = resting, nil, false
	p.given, p.busy, p.changing, p.links = 0, false, nil, p.room[:0]
}

// goOn resumes the coroutine.
func (p *person) goOn() { p.next() }

// pause suspends the coroutine until the universe lets it go on.
func (p *person) pause() {
	p.u.settle()
	p.yield(struct{}{})
}

// sleep suspends the coroutine for d.
func (p *person) sleep(d int64) {
	p.u.wakeAt(p.id, p.u.now+d)
	if d > 0 {
		p.pause()
	}
}

// live is what the person does when it goes on after a rest.
func (p *person) live() {
	u := p.u
	switch {
	case p.phase == closing:
		p.shut()
		return
	case p.hope != nil:
		p.call()
		p.rest()
		return
	case u.draining || u.over && u.oneIn(2):
		p.phase = parked
		u.ready &^= 1 << p.id
		u.timed &^= 1 << p.id
		return
	}
	c := p.choose()
	p.renew(p.drawEnds())
	switch what := u.below(1024); {
	case what == 0 && u.resets:
		p.alone().resetAll()
	case what < 20:
		c = p.alone()
		c.reset(c.key)
	case what < 56:
		p.alone().inspect()
	case what < 80 && u.forces:
		p.alone().force()
	case what >= 80 && what < 84 && u.changes:
		p.alone().reconfigure()
	case what >= 84 && what < 100:
		p.alone().charge()
	default:
		p.phase = []phase{allowing, acquiring, calling, calling}[what%4]
		if p.phase == calling && what%32 == 3 {
			p.phase = admitting
		}
		if p.phase == calling {
			p.enclose()
		}
		if p.phase == calling || p.phase == admitting {
			p.weigh()
		}
		if p.phase == allowing || p.phase == acquiring {
			c.n = c.w.tokens()
		}
		p.call()
	}
	p.rest()
}

// drawEnds draws the deadline of a context, and the instant at which it is cancelled.
func (p *person) drawEnds() (deadline, cancel int64) {
	u := p.u
	deadline, cancel = math.MaxInt64, math.MaxInt64
	if !u.patient || u.oneIn(2) {
		if at := u.now + u.spread(1, 32*u.tick); u.oneIn(2) {
			deadline = at
		} else {
			cancel = at
		}
	}
	return deadline, cancel
}

// choose draws the keys that the person is about, and returns the account of the first.
func (p *person) choose() *caller {
	u := p.u
	n := len(u.worlds)
	for _, c := range p.links {
		c.account = nil
	}
	chosen := 1<<n - 1
	if n > 1 && u.oneIn(3) {
		chosen = 1 + u.below(chosen) // any of the engines
	}
	p.links = p.room[:0]
	for i, w := range u.worlds {
		if c := w.people[p.id]; chosen>>i&1 != 0 {
			c.key, c.n, c.under = u.below(w.names), 1, naiveProbe{}
			p.links = append(p.links, c)
		}
	}
	return p.links[0]
}

// alone has the person be about one of its keys.
func (p *person) alone() *caller {
	i := p.u.below(len(p.links))
	p.links[0] = p.links[i]
	p.links = p.links[:1]
	return p.links[0]
}

// enclose has p's call made in the function of a probe, now and then.
func (p *person) enclose() {
	u := p.u
	q := u.persons[u.below(u.callers)]
	if q == p || q.phase != inFn || len(u.worlds) > 1 && q.ctx.within != nil {
		return
	}
	for _, c := range p.links {
		if outer := c.w.people[q.id]; outer.lease != 0 {
			c.key, c.under, p.ctx.within = outer.key, naiveProbe{outer.period, outer.lease}, q.fnCtx
		}
	}
}

// rest ends what the person was about.
func (p *person) rest() {
	u := p.u
	for _, c := range p.links {
		c.rest()
	}
	p.phase, p.deciding = resting, false
	u.ending &^= 1 << p.id
	pause := int64(0)
	switch {
	case u.draining || u.over:
	case p.hope != nil:
		pause = max(0, p.hopeAt-u.reading())
	default:
		switch u.below(8) {
		case 0, 1, 2:
		case 3:
			pause = u.spread(1, u.nights)
		default:
			pause = u.spread(1, 16*u.tick)
		}
	}
	u.wakeAt(p.id, u.now+pause)
}

// comesBackAs is the kind of call that was refused.
func (p *person) comesBackAs() phase {
	switch {
	case p.asks:
		return calling
	case p.mode == limiter.Immediate:
		return allowing
	default:
		return acquiring
	}
}

// message is the last message of a call.
func (p *person) message() (m guard.Message) {
	for _, c := range p.links {
		m = c.message
	}
	return m
}
