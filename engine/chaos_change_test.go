package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// change changes the policies every few calls, as long as calls are left.
func (c *chaos) change(rng *rand.Rand, left *atomic.Int64) {
	for left.Load() > 0 {
		eng, cfg := c.eng, c.drawPolicies(rng)
		switch {
		case c.scarce:
			c.drawScarce(rng, &cfg)
		case rng.IntN(3) == 0:
			eng, cfg = c.wide, c.wide.Config()
			c.drawAny(rng, &cfg)
		default:
			c.drawAny(rng, &cfg)
		}
		if eng.Reconfigure(cfg) != nil {
			return // closed
		}
		for range 3 {
			eng.Refresh(c.keys[rng.IntN(len(c.keys))].name)
		}
		c.changed.Add(1)
		for n := left.Load(); left.Load() > max(0, n-16); {
			runtime.Gosched()
		}
	}
}

// drawPolicies draws everything but the limits.
func (c *chaos) drawPolicies(rng *rand.Rand) engine.Config {
	cfg := c.eng.Config()
	rules := c.weather.breaker
	cfg.Breaker = []*breaker.Policy{
		nil, &rules, &rules, {FailureThreshold: 1 + rng.IntN(20), RecoveryTimeout: time.Microsecond, HalfOpenSuccesses: 1 + rng.IntN(4), HalfOpenProbes: 1 + rng.IntN(4)},
		{FailureRate: rng.Float64(), SlowRate: 1, SlowAfter: time.Duration(1 + rng.IntN(100_000)), MinCalls: 1 + rng.IntN(20), WindowCalls: 20 * rng.IntN(3), RecoveryTimeout: time.Microsecond},
	}[rng.IntN(5)]
	if p := cfg.Breaker; p != nil && p.WindowCalls == 0 && p.SlowRate > 0 {
		p.Window = time.Duration(10 + rng.IntN(1_000_000))
	}
	cfg.Retry = []*retry.Policy{nil, {MaxAttempts: 1 + rng.IntN(chaosAttempts), BaseDelay: time.Microsecond}}[rng.IntN(2)]
	cfg.MaxKeys = c.weather.keys/2 - rng.IntN(c.weather.keys/4)
	cfg.IdleAfter = []time.Duration{1, time.Millisecond}[rng.IntN(2)]
	cfg.MaxWait = time.Duration(1 + rng.Int64N(int64(time.Millisecond)))
	cfg.MaxQueue = []int{0, 1 + rng.IntN(4)}[rng.IntN(2)]
	return cfg
}

// drawScarce draws a limit of any kind that gives a key no token: the capacity is doubled and halved
// again or, in some rounds, limits of keys come and go.
func (c *chaos) drawScarce(rng *rand.Rand, cfg *engine.Config) {
	b := c.bucket
	one := []limiter.Limiter{
		b.limiter(),
		limiter.LeakyBucket{Capacity: int(b.capacity), LeakRate: limiter.Per(1, b.interval)},
		limiter.All(b.limiter(), limiter.TokenBucket{Capacity: 1000, RefillRate: limiter.Per(1, time.Microsecond)}),
	}[rng.IntN(3)]
	switch cfg.LimiterFor = nil; {
	case c.byPlan && rng.IntN(2) == 0:
		cfg.LimiterFor = func(string) limiter.Limiter { return one }
	case c.byPlan:
		cfg.Limiter = one
	default:
		b.capacity *= 1 + rng.Int64N(2)
		cfg.Limiter = b.limiter()
	}
}

// drawAny draws any limit, whether the engine is in shadow, and whether it decides once for a call.
func (c *chaos) drawAny(rng *rand.Rand, cfg *engine.Config) {
	cfg.PerCall, cfg.Shadow = rng.IntN(3) == 0, rng.IntN(4) == 0
	draw := func() limiter.Limiter {
		b := limiter.TokenBucket{Capacity: 2 + rng.IntN(50), RefillRate: limiter.Per(1, time.Duration(1+rng.IntN(5000)))}
		switch rng.IntN(6) {
		case 0:
			return limiter.Unlimited
		case 1:
			return limiter.LeakyBucket{Capacity: b.Capacity, LeakRate: b.RefillRate}
		case 2:
			return limiter.All(b, limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Microsecond)})
		case 3:
			return limiter.FixedWindow{Max: b.Capacity, Per: time.Duration(b.Capacity + rng.IntN(100_000))}
		default:
			return b
		}
	}
	cfg.Limiter, cfg.LimiterFor = draw(), nil
	if rng.IntN(2) == 0 {
		plans := []limiter.Limiter{nil, draw(), draw()}
		var asked atomic.Uint64
		cfg.LimiterFor = func(string) limiter.Limiter { return plans[asked.Add(1)%3] } // another answer each time
	}
}

// checkPlaces waits until every place is free: those of tickets that are lost come back with collections.
func (c *chaos) checkPlaces() {
	for i := range c.keys {
		for tries := 0; taken(c.eng, c.keys[i].name) > 0; tries++ {
			if tries == standstill {
				c.wedged.Add(1)
				break
			}
			runtime.GC()
			runtime.Gosched()
		}
	}
}

// checkOpened calls every key when nothing limits it any more: the call must be admitted.
func (c *chaos) checkOpened() {
	if !c.changes || c.scarce {
		return
	}
	for _, eng := range []*engine.Engine{c.eng, c.wide} {
		cfg := eng.Config()
		cfg.Limiter, cfg.LimiterFor, cfg.Breaker, cfg.Shadow, cfg.Concurrency = limiter.Unlimited, nil, nil, false, nil
		if eng.Reconfigure(cfg) != nil {
			c.wedged.Add(1)
		}
	}
	for i := range c.keys {
		if c.keys[i].chain.Run(context.Background(), succeed) != nil {
			c.wedged.Add(1)
		}
	}
}

// checkProbes calls every key that is half-open for ever. No probe is out any more, so that the
// call must be admitted.
func (c *chaos) checkProbes() {
	if !c.single {
		return
	}
	for i := range c.keys {
		r, refused := errors.AsType[*engine.Rejection](c.keys[i].handle.Run(context.Background(), func(context.Context) error { return errNeutral }))
		if refused && (r.RetryAfter() > time.Minute || errors.Is(r, engine.ErrKeyLimit)) { // else it has failed a moment ago
			c.wedged.Add(1)
		}
	}
}
