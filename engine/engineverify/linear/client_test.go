package linear_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// keys of a history. Half of all operations are on the first.
const keys = 3

// A setting with a chain has two keys, each of an engine of its own. What is for both is for the
// key through.
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

// once makes one operation. It draws as much from its source whatever comes of it, so that a seed
// stands for the same operations.
func (c *client) once() {
	what := c.h.setting.mix[c.rng.IntN(len(c.h.setting.mix))]
	key := max(0, c.rng.IntN(2*keys-2)-keys+2) % c.h.setting.keys()
	tokens := int8(1 + c.rng.IntN(2)*c.rng.IntN(2))
	other, d, lasts, cancelable := c.rng.IntN(clients), 1+c.rng.IntN(3), c.rng.IntN(16), c.rng.IntN(3) > 0
	end, back, hold, nowait := c.rng.IntN(len(ends)), c.rng.IntN(6) == 0, c.rng.IntN(2) == 0, c.rng.IntN(3) == 0
	to, lasting := c.rng.IntN(2), forcings[c.rng.IntN(len(forcings))]
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
			return c.guard(p, key, o, end, d)
		})
	case actInspect:
		c.inspect(key)
	case actReset:
		c.reset(key)
	case actResetAll:
		c.resetAll()
	case actStep:
		c.step(d)
	case actChange:
		c.change(to)
	case actForce:
		c.force(min(key, c.h.setting.keys()-1), breaker.State(to), lasting)
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
	o.ceil = c.h.clock.ticks()
	o.ret = c.h.instant()
	o.until = o.ret
	c.at.Store(nil)
	c.seen[key] = append(c.seen[key], o)
}

func (c *client) allow(key int, tokens int8) {
	o := &operation{kind: allow, tokens: tokens}
	if key == through {
		o = c.call(key, tokens, false, true, 0)
		o.place = true
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
	c.endForAll(o)
}

// change has the engine of all keys take the other limits (to is 1), or the first.
func (c *client) change(to int) {
	o := &operation{kind: change, d: to}
	eng, limits := c.h.engines[0], c.h.setting.rules.limits
	if to == 1 {
		limits = c.h.setting.rules.others
	}
	cfg := eng.Config()
	cfg.Limiter = limiterOf(limits)
	c.begin(o)
	if err := eng.Reconfigure(cfg); err != nil {
		panic(err) // checked, and the same but for the limits
	}
	c.endForAll(o)
}

// forcings are how many ticks a forced state lasts.
var forcings = [...]int{0, 0, 1, 2, 4, always}

// force forces the breaker of key for d ticks, or ends what was forced.
func (c *client) force(key int, to breaker.State, d int) {
	o, lasts := &operation{kind: force, to: to, d: d, result: granted}, time.Duration(d)*tick
	if d == always {
		lasts = breaker.Forever
	}
	c.begin(o)
	switch err := c.h.engines[key].Force(keyNames[key], to, lasts); {
	case errors.Is(err, engine.ErrForceLimit) || errors.Is(err, engine.ErrKeyLimit):
		o.result = crowded
	case err != nil:
		o.result = wrong
	}
	c.end(key, o)
}

func (c *client) step(d int) {
	o := &operation{kind: step, d: d}
	c.begin(o)
	c.h.clock.step(d)
	c.endForAll(o)
}

// endForAll is end for an operation on all keys.
func (c *client) endForAll(o *operation) {
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
	if c.h.rulesOf(key).places > 0 {
		also := *o
		also.kind, also.d = gauge, s.InFlight
		c.seen[key] = append(c.seen[key], &also)
	}
	if known {
		o.shown = shown{
			known: true, state: s.Breaker, failures: s.Failures, openFor: int(s.OpenFor / tick), waiting: s.Waiting,
		}
		o.also = also{s.Forced, counted{s.Window.Calls, s.Window.Failures, s.Window.Slow}}
		for i, l := range s.Limits {
			o.shown.available[i] = l.Available
		}
	}
}
