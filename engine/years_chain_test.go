package engine_test

import (
	"context"
	"math/rand/v2"

	"github.com/limitpal/limitpal-go/engine"
)

// byChain makes the call through a chain of its key and a wider one, and checks the answer. Now and
// then byChain resets or forces the wider key instead.
func (c *worldCall) byChain(ctx context.Context, rng *rand.Rand) {
	c.api = &c.apis.keys[rng.IntN(len(c.apis.keys))]
	k := engine.Chain(c.key.handle, c.api.handle)
	c.chained.Add(1)
	n := 1 + rng.IntN(c.key.most())
	defer c.holds(0)
	switch rng.IntN(12) {
	case 0, 1, 2, 3:
		k = engine.Chain(c.weighs(rng), c.api.handle)
		c.holds(c.cost)
		value, err := engine.DoKey(ctx, k, c.run)
		c.checkEnd()
		c.check(value, err)
	case 4, 5:
		c.holds(1)
		err := k.Run(ctx, func(ctx context.Context) error { _, err := c.run(ctx); return err })
		c.check(c.value, err)
	case 6:
		c.holds(1)
		r := <-engine.GoKey(ctx, k, c.run)
		c.check(r.Value, r.Err)
	case 7, 8:
		c.holds(1)
		c.byTicket(ctx, rng, k)
	case 9:
		if k.AllowN(n) {
			c.got(int64(n))
		} else if c.inShadow(c.key) && c.inShadow(c.api) {
			c.blocked.Add(1)
		}
	case 10:
		c.holds(int64(n))
		err := k.AcquireN(ctx, n)
		if err == nil {
			c.got(int64(n))
		}
		c.check(c.value, err)
	default:
		switch rng.IntN(20) {
		case 0:
			c.api.reset(c.world)
			c.api.handle.Reset()
		case 1:
			c.force(rng, c.api)
		case 2, 3, 4:
			c.charge(rng, c.api)
		}
	}
}

// holds notes how many tokens of its key the call may hold, from now on, while it waits for the
// wider key.
func (c *worldCall) holds(n int64) {
	if c.api == nil || c.api.first.MaxWait == engine.NoWait && !c.api.changes {
		n = 0
	}
	c.key.hold(n - c.held)
	c.held = n
}
