package linear_test

import (
	"errors"
	"slices"

	"github.com/limitpal/limitpal-go/engine"
)

// passed notes that a call for the chain has come to o.result, as an operation on each key.
func (c *client) passed(o *operation, err error) {
	o.ceil = c.h.clock.ticks()
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
		part.asks = o.asks && (rules.breaker != nil || slices.Contains(c.h.setting.mix, actForce))
		comes := true
		if part.result != granted && part.result != canceled && part.result != wrong && key != by {
			comes = by < 0 || by > key || part.result == open // else a narrower key had no tokens
			part.result = elsewhere
		}
		if part.stepped(); tried {
			c.tried(key, &part, comes)
		}
		if comes {
			c.seen[key] = append(c.seen[key], &part)
			c.further(key, &part)
		}
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

// tried notes that a Run may have held tokens of key when it tried the gates, before its part o if
// the call came to that.
func (c *client) tried(key int, o *operation, comes bool) {
	if comes {
		o.steps |= 1 << try
	}
	first := *o
	first.kind, first.result, first.serial, first.asks, first.steps = try, elsewhere, -o.serial, false, 1<<release
	if comes {
		first.steps |= 1 << o.kind
	}
	c.seen[key] = append(c.seen[key], &first)
	c.further(key, &first)
}
