package engine_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// operate has somebody change policies or force keys, as the weather says, for as long as calls are
// left.
func (c *chaos) operate(t *testing.T, callers *sync.WaitGroup, left *atomic.Int64) {
	if c.changes {
		rng := rand.New(rand.NewPCG(c.rng.Uint64(), 1))
		callers.Go(func() { c.change(rng, left) })
	}
	if c.forces {
		callers.Go(func() { c.force(t, left) })
	}
}

// force has somebody force one key after the other, for a moment or until the next round, for as
// long as calls are left. In the end no key is forced, and the figures say so.
func (c *chaos) force(t *testing.T, left *atomic.Int64) {
	for i := 0; left.Load() > 0; i++ {
		k := &c.keys[i%len(c.keys)]
		length := []time.Duration{time.Microsecond, 50 * time.Microsecond, breaker.Forever}[i%3]
		err := c.eng.Force(k.name, breaker.State(i/2%2), length)
		assert.True(t, err == nil || errors.Is(err, engine.ErrForceLimit) || errors.Is(err, engine.ErrKeyLimit) || errors.Is(err, engine.ErrClosed), "%v", err)
		for n := left.Load(); left.Load() > max(0, n-4); {
			runtime.Gosched()
		}
		if i%3 == 2 {
			_ = c.eng.Force(k.name, breaker.Open, 0) // ErrClosed at the worst
		}
	}
	if c.inFlight {
		return
	}
	for i := range c.keys {
		assert.NoError(t, c.eng.Force(c.keys[i].name, breaker.Open, 0))
	}
	assert.Zero(t, c.eng.Stats().ForcedKeys)
}
