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

// A setting with a chain has two keys, each of an engine of its own. What is for both is for the key through.
const (
	narrow = iota
	wide
	through = keys
)

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
	handles [keys + 1]engine.Key
	ticket  *engine.Ticket // of the key admitted
	admit   int
	lasts   *patience
	held    int8 // its serial
	serial  int8 // of the latest call
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
	key := max(0, c.rng.IntN(2*keys-2)-keys+2) % c.h.setting.keys()
	tokens := int8(1 + c.rng.IntN(2)*c.rng.IntN(2))
	other, d, lasts, cancelable := c.rng.IntN(clients), 1+c.rng.IntN(3), c.rng.IntN(16), c.rng.IntN(3) > 0
	end, back, hold, nowait := c.rng.IntN(len(ends)), c.rng.IntN(6) == 0, c.rng.IntN(2) == 0, c.rng.IntN(3) == 0
	if what >= actChained {
		what, key = what-actChained, through
	}
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
		c.ask(key, c.call(key, tokens, false, nowait, lasts), cancelable, c.acquire)
	case actAdmit:
		c.ask(key, c.call(key, 1, true, nowait, lasts), cancelable, c.take)
	case actRun:
		c.ask(key, c.call(key, 1, true, nowait, lasts), cancelable, func(p *patience, key int, o *operation) error {
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
	if o.nowait {
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
		c.asked(key, o, err)
	}
	if c.ticket == nil && p.end != nil {
		p.end()
	}
}

// call is an operation that asks for tokens or, if it asks the breaker too, for a ticket. At a wide key only calls for the chain wait: so
// there is one row of waiters.
func (c *client) call(key int, tokens int8, asks, nowait bool, lasts int) *operation {
	c.serial++
	s := c.h.setting
	o := &operation{tokens: tokens, asks: asks, serial: c.id*perClient + c.serial, patience: int8(lasts), chained: key == through}
	o.nowait = !s.rules.waits || s.wide != nil && (nowait || key == wide)
	return o
}

// asked notes that the decision of o, on key, has come.
func (c *client) asked(key int, o *operation, err error) {
	if o.chained {
		c.passed(o, err)
		return
	}
	o.kind = pass
	if !o.nowait && (o.result == granted || o.result == open || o.result == canceled) {
		o.kind, o.steps = enter, 1<<leave
		if o.result == canceled && o.asks { // tokens, and the place of a probe, may have been taken for a moment
			o.steps |= 1<<count | 1<<release
		}
	}
	c.end(key, o)
	c.further(key, o)
}

// further notes the further steps of o.
func (c *client) further(key int, o *operation) {
	for k := range total {
		if o.has(k) {
			next := *o
			if next.kind = k; k == count || k == leave && o.result == canceled {
				next.until = forever
			}
			c.seen[key] = append(c.seen[key], &next)
		}
	}
}

// reported notes the outcome of a call of key, whose report is o, at every key that has a breaker.
func (c *client) reported(key int, o *operation) {
	o.ret = c.h.instant()
	c.at.Store(nil)
	for at := range c.h.setting.keys() {
		if (at == key || key == through) && c.h.rulesOf(at).breaker != nil {
			told, counted := *o, *o
			told.until, counted.kind, counted.until = o.ret, count, forever
			c.seen[at] = append(c.seen[at], &told, &counted)
		}
	}
}

func (c *client) allow(key int, tokens int8) {
	o := &operation{kind: allow, tokens: tokens}
	if key == through {
		o = c.call(key, tokens, false, true, 0)
	}
	c.begin(o)
	ok := false
	if c.handled() || o.chained {
		ok = c.handles[key].AllowN(int(tokens))
	} else {
		ok = c.h.engines[key].AllowN(keyNames[key], int(tokens))
	}
	if ok {
		o.result = granted
	}
	if o.chained {
		c.passed(o, nil)
		return
	}
	c.end(key, o)
}

// handled reports whether this client uses handles rather than names.
func (c *client) handled() bool { return c.id&1 == 1 }

// handle is the handle for o, or nil if o is to be made by name.
func (c *client) handle(key int, o *operation) *engine.Key {
	k := c.handles[key]
	if c.h.setting.wide != nil && o.nowait {
		k = k.NoWait()
	} else if !c.handled() && !o.chained {
		return nil
	}
	return &k
}

func (c *client) acquire(p *patience, key int, o *operation) error {
	if k := c.handle(key, o); k != nil {
		return k.AcquireN(p, int(o.tokens))
	}
	return c.h.engines[key].AcquireN(p, keyNames[key], int(o.tokens))
}

// take asks for a ticket, and keeps it.
func (c *client) take(p *patience, key int, o *operation) (err error) {
	c.admit, c.lasts, c.held = key, p, o.serial
	if k := c.handle(key, o); k != nil {
		c.ticket, err = k.Admit(p)
	} else {
		c.ticket, err = c.h.engines[key].Admit(p, keyNames[key])
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
	o.runs = true
	over := &operation{kind: report, serial: o.serial}
	fn := func(context.Context) error {
		p.seal()
		o.result = granted
		c.asked(key, o, nil)
		if o.call&1 == 0 {
			runtime.Gosched()
		}
		over.outcome = p.outcome(end)
		c.begin(over)
		return ends[end].err
	}
	if k := c.handle(key, o); k != nil {
		err = k.Run(p, fn)
	} else {
		err = c.h.engines[key].Run(p, keyNames[key], fn)
	}
	if over.call != 0 {
		c.reported(key, over)
	}
	return err
}

func (c *client) reset(key int) {
	o := &operation{kind: reset}
	c.begin(o)
	c.h.engines[key].Reset(keyNames[key])
	c.end(key, o)
}

func (c *client) resetAll() {
	o := &operation{kind: reset}
	c.begin(o)
	c.h.engines[0].ResetAll()
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
	s, known := c.h.engines[key].Inspect(keyNames[key])
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
