package linear_test

import (
	"errors"

	"github.com/limitpal/limitpal-go/engine"
)

// passed notes that a call for the chain has come to o.result, as an operation on each key.
func (c *client) passed(o *operation, err error) {
	o.ret = c.h.instant()
	c.at.Store(nil)
	by, tried := -1, o.runs && c.h.rulesOf(narrow).published
	if r, ok := errors.AsType[*engine.Rejection](err); ok {
		for by = range c.h.setting.keys() {
			if r.Engine == keyNames[by] {
				break
			}
		}
	}
	for key := range c.h.setting.keys() {
		rules, part := c.h.rulesOf(key), *o // asks: for the breaker of this key
		part.until = o.ret
		if key != narrow {
			part.tokens = 1
		}
		if part.asks = o.asks && rules.breaker != nil; tried {
			c.tried(key, part)
		}
		if part.result != granted && part.result != canceled && part.result != wrong && key != by {
			if by >= 0 && by < key && part.result != open {
				continue // a narrower key had no tokens
			}
			part.result = elsewhere
		}
		part.stepped()
		c.seen[key] = append(c.seen[key], &part)
		c.further(key, &part)
	}
}

// stepped says which steps the part of a call for a chain has at a key.
func (o *operation) stepped() {
	undone := o.result == elsewhere || o.result == canceled
	switch {
	case o.result == refused || o.result == full || o.result == wrong:
		o.kind = pass
		return
	case undone || o.result == open || !o.nowait:
		o.kind = enter
	default:
		o.kind = pass
	}
	if o.kind == enter && !o.nowait {
		o.steps |= 1 << leave
	}
	if o.asks {
		o.steps |= 1 << permit
	}
	if o.result != granted {
		o.steps |= 1 << release
	}
	if o.asks && undone { // the place of a probe may have been taken for a moment
		o.steps |= 1 << count
	}
}

// tried notes that a Run may have held tokens of key when it tried the gates.
func (c *client) tried(key int, o operation) {
	o.kind, o.result, o.serial, o.asks, o.steps = try, elsewhere, -o.serial, false, 1<<release
	c.seen[key] = append(c.seen[key], &o)
	c.further(key, &o)
}
