package linear_test

import (
	"context"
	"runtime"

	"github.com/limitpal/limitpal-go/engine"
)

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

// call is an operation that asks for tokens or, if it asks the breaker too, for a ticket. At a wide
// key only calls for the chain wait: so there is one row of waiters.
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
	o.alone()
	c.end(key, o)
	c.further(key, o)
}

// alone says which steps a call for one key has.
func (o *operation) alone() {
	o.kind = pass
	if !o.nowait && (o.result == granted || o.result == open || o.result == canceled) {
		o.kind, o.steps = enter, 1<<leave
		if o.result == canceled && o.asks { // tokens and a probe's place may have been taken
			o.steps |= 1<<count | 1<<release
		}
	}
}

// further notes the further steps of o.
func (c *client) further(key int, o *operation) {
	for k := permit; k < total; k++ {
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
			c.seen[at] = append(c.seen[at], o.told()...)
		}
		if at == key && c.h.rulesOf(at).places > 0 {
			left := *o
			left.kind, left.asks, left.until = vacate, true, o.ret
			c.seen[at] = append(c.seen[at], &left)
		}
	}
}

// told returns the report o of an outcome and, as a second operation, its count.
func (o *operation) told() []*operation {
	told, counted := *o, *o
	told.until, counted.kind, counted.until = o.ret, count, forever
	return []*operation{&told, &counted}
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

// guard makes a call of a function that ends as said. Where slow calls are judged, the clock may step by d
// meanwhile.
func (c *client) guard(p *patience, key int, o *operation, end, d int) (err error) {
	o.runs = true
	over := &operation{kind: report, serial: o.serial}
	fn := func(context.Context) error {
		p.seal()
		o.result = granted
		c.asked(key, o, nil)
		if o.call&1 == 0 {
			runtime.Gosched()
		}
		if b := c.h.setting.rules.breaker; b != nil && b.slowRate > 0 && o.serial%4 == 0 {
			c.step(d)
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
