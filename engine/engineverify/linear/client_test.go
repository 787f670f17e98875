package linear_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/engine"
)

// keys of a history. Half of all operations are on the first.
const keys = 3

var keyNames = [keys]string{"k0", "k1", "k2"}

// client makes operations, one after the other, and writes down what it saw.
type client struct {
	h       *history
	id      int8
	rng     *rand.Rand
	seen    [keys][]*operation
	calls   int                       // made
	at      atomic.Pointer[operation] // the call that it is in
	waits   atomic.Pointer[patience]  // of that call, if it can be canceled
	handles [keys]engine.Key
	ticket  *engine.Ticket // of the key admitted
	admit   int
	lasts   *patience
	held    int8 // its serial
	serial  int8 // of the latest ticket
}

// run makes n operations, and gives back what the client has at the end.
func (c *client) run(n int) {
	for range n {
		c.once()
		c.h.progress.Add(1)
		if c.rng.IntN(4) == 0 {
			runtime.Gosched()
		}
	}
	if c.ticket != nil {
		c.done(c.rng.IntN(len(ends)))
	}
}

// once makes one operation. It draws as much from its source whatever comes of it, so that a seed stands for the same operations.
func (c *client) once() {
	what := c.h.setting.mix[c.rng.IntN(len(c.h.setting.mix))]
	key := max(0, c.rng.IntN(2*keys-2)-keys+2)
	tokens := int8(1 + c.rng.IntN(2)*c.rng.IntN(2))
	other, d, lasts, cancelable := c.rng.IntN(clients), 1+c.rng.IntN(3), c.rng.IntN(16), c.rng.IntN(3) > 0
	end, back, hold := c.rng.IntN(len(ends)), c.rng.IntN(6) == 0, c.rng.IntN(2) == 0
	if c.ticket != nil && (!hold || what == actAdmit || what == actRun) {
		c.done(end)
		return
	}
	if back {
		d = -d
	}
	if lasts > 5 {
		lasts = 0
	}
	switch what {
	case actAllow:
		c.allow(key, tokens)
	case actAcquire:
		c.ask(key, &operation{tokens: tokens, patience: int8(lasts)}, cancelable, c.acquire)
	case actAdmit:
		c.ask(key, c.call(lasts), cancelable, c.take)
	case actRun:
		c.ask(key, c.call(lasts), cancelable, func(p *patience, key int, o *operation) error {
			return c.guard(p, key, o, end)
		})
	case actInspect:
		c.inspect(key)
	case actReset:
		c.reset(key)
	case actResetAll:
		c.resetAll()
	case actStep:
		c.step(d)
	case actCancel:
		if p := c.h.clients[other].waits.Load(); p != nil {
			p.lose()
		}
	}
}

// begin notes that o is called now.
func (c *client) begin(o *operation) {
	c.calls++
	o.client = c.id
	o.floor = c.h.clock.ticks()
	c.at.Store(o)
	o.call = c.h.instant()
}

// end notes that o, on key, has returned.
func (c *client) end(key int, o *operation) {
	o.ret = c.h.instant()
	o.until = o.ret
	c.at.Store(nil)
	c.seen[key] = append(c.seen[key], o)
}

// ask makes a call for tokens and perhaps a ticket.
func (c *client) ask(key int, o *operation, cancelable bool, call func(p *patience, key int, o *operation) error) {
	p := &patience{Context: context.Background()}
	if !c.h.setting.rules.waits {
		o.patience = 0
	} else if cancelable || o.patience > 0 {
		p.Context, p.end = limited(o.patience)
		c.waits.Store(p)
		defer c.waits.Store(nil)
	}
	c.begin(o)
	c.h.asking.Add(1)
	err := call(p, key, o)
	c.h.asking.Add(-1)
	if o.ret == 0 { // else the call has noted itself when its function ran
		o.result = resultOf(err)
		c.asked(key, o)
	}
	if c.ticket == nil && p.end != nil {
		p.end()
	}
}

// call is an operation that asks for a ticket.
func (c *client) call(lasts int) *operation {
	c.serial++
	return &operation{tokens: 1, asks: true, serial: c.id*perClient + c.serial, patience: int8(lasts)}
}

// asked notes that the decision of o, on key, has come.
func (c *client) asked(key int, o *operation) {
	o.kind = pass
	c.end(key, o)
	if c.h.setting.rules.waits && (o.result == granted || o.result == open || o.result == canceled) {
		o.kind = enter
		left := *o
		left.kind = leave
		if o.result == canceled {
			left.until = forever
		}
		c.seen[key] = append(c.seen[key], &left)
		if o.result == canceled && o.asks { // it may have been a probe's for a moment
			counted := left
			counted.kind = count
			c.seen[key] = append(c.seen[key], &counted)
		}
	}
}

// reported notes the outcome of a call of key, whose report is o.
func (c *client) reported(key int, o *operation) {
	c.end(key, o)
	counted := *o
	counted.kind, counted.until = count, forever
	c.seen[key] = append(c.seen[key], &counted)
}

func (c *client) allow(key int, tokens int8) {
	o := &operation{kind: allow, tokens: tokens}
	c.begin(o)
	ok := false
	if c.handled() {
		ok = c.handles[key].AllowN(int(tokens))
	} else {
		ok = c.h.engine.AllowN(keyNames[key], int(tokens))
	}
	if ok {
		o.result = granted
	}
	c.end(key, o)
}

// handled reports whether this client uses handles rather than names.
func (c *client) handled() bool { return c.id&1 == 1 }

func (c *client) acquire(p *patience, key int, o *operation) error {
	if c.handled() {
		return c.handles[key].AcquireN(p, int(o.tokens))
	}
	return c.h.engine.AcquireN(p, keyNames[key], int(o.tokens))
}

// take asks for a ticket, and keeps it.
func (c *client) take(p *patience, key int, o *operation) (err error) {
	c.admit, c.lasts, c.held = key, p, o.serial
	if c.handled() {
		c.ticket, err = c.handles[key].Admit(p)
	} else {
		c.ticket, err = c.h.engine.Admit(p, keyNames[key])
	}
	if err == nil {
		p.seal()
	}
	return err
}

// done gives the ticket back.
func (c *client) done(end int) {
	o := &operation{kind: report, serial: c.held, outcome: c.lasts.outcome(end)}
	c.begin(o)
	c.ticket.Done(ends[end].err)
	c.reported(c.admit, o)
	c.ticket = nil
	if c.lasts.end != nil {
		c.lasts.end()
	}
}

// guard makes a call of a function that ends as said.
func (c *client) guard(p *patience, key int, o *operation, end int) (err error) {
	over := &operation{kind: report, serial: o.serial}
	fn := func(context.Context) error {
		p.seal()
		o.result = granted
		c.asked(key, o)
		if o.call&1 == 0 {
			runtime.Gosched()
		}
		over.outcome = p.outcome(end)
		c.begin(over)
		return ends[end].err
	}
	if c.handled() {
		err = c.handles[key].Run(p, fn)
	} else {
		err = c.h.engine.Run(p, keyNames[key], fn)
	}
	if over.call != 0 {
		c.reported(key, over)
	}
	return err
}

func (c *client) reset(key int) {
	o := &operation{kind: reset}
	c.begin(o)
	c.h.engine.Reset(keyNames[key])
	c.end(key, o)
}

func (c *client) resetAll() {
	o := &operation{kind: reset}
	c.begin(o)
	c.h.engine.ResetAll()
	c.end(0, o)
	for key := 1; key < keys; key++ {
		c.seen[key] = append(c.seen[key], o)
	}
}

func (c *client) step(d int) {
	o := &operation{kind: step, d: d}
	c.begin(o)
	c.h.clock.step(d)
	c.end(0, o)
	for key := 1; key < keys; key++ {
		c.seen[key] = append(c.seen[key], o)
	}
}

func (c *client) inspect(key int) {
	o := &operation{kind: inspect}
	c.begin(o)
	s, known := c.h.engine.Inspect(keyNames[key])
	c.end(key, o)
	if known {
		o.shown = shown{
			known: true, state: s.Breaker, failures: s.Failures, openFor: int(s.OpenFor / tick), waiting: s.Waiting,
		}
		for i, l := range s.Limits {
			o.shown.available[i] = l.Available
		}
	}
}
