package engine_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// drawBucket draws a bucket of the side.
func (s *side) drawBucket(rng *rand.Rand) bucket {
	return bucket{1 + rng.Int64N(10), time.Duration(s.unit * []int64{1, 2, 3, 4, 6}[rng.IntN(5)])}
}

func drawRules(rng *rand.Rand) breaker.Policy {
	p := breaker.Policy{
		FailureThreshold: 1 + rng.IntN(5), RecoveryTimeout: time.Duration(1+rng.IntN(60)) * time.Second,
		HalfOpenProbes: 1 + rng.IntN(3), HalfOpenSuccesses: 1 + rng.IntN(3), ProbeTimeout: time.Duration(1+rng.IntN(60)) * time.Second,
	}
	if rng.IntN(2) == 0 {
		p.HalfOpenFailures = rng.IntN(3)
		p.MaxRecovery = p.RecoveryTimeout * time.Duration(1+rng.IntN(5))
		p.RecoveryJitter, p.Seed = rng.Float64(), 1+rng.Uint64N(1<<60)
	}
	if rng.IntN(2) == 0 {
		drawRates(rng, &p)
	}
	return p
}

// drawRates has p judge by rates, half of the time by nothing else.
func drawRates(rng *rand.Rand, p *breaker.Policy) {
	p.FailureThreshold *= rng.IntN(2)
	p.FailureRate, p.MinCalls = 0.1+0.9*rng.Float64(), 1+rng.IntN(10)
	if rng.IntN(3) == 0 {
		p.SlowRate, p.SlowAfter = 0.1+0.9*rng.Float64(), time.Duration(1+rng.IntN(5))*time.Second
	}
	if rng.IntN(2) == 0 {
		p.WindowCalls = p.MinCalls + rng.IntN(30)
	} else {
		p.Window = time.Duration(1+rng.IntN(300)) * time.Second
	}
}

// drawLimiter draws a limit of any kind but limiter.All, and returns the bucket that the accounts follow:
// without capacity if there is no limit.
func (s *side) drawLimiter(rng *rand.Rand) (limiter.Limiter, bucket) {
	b := s.drawBucket(rng)
	switch rng.IntN(6) {
	case 0:
		return limiter.Unlimited, bucket{}
	case 1:
		return limiter.LeakyBucket{Capacity: int(b.capacity), LeakRate: limiter.Per(1, b.interval)}, b
	default:
		return b.limiter(), b
	}
}

// draw draws a configuration, and the bucket of a key without a plan.
func (s *side) draw(w *world, rng *rand.Rand) (engine.Config, bucket) {
	cfg := s.eng.Config()
	l, b := s.drawLimiter(rng)
	cfg.Limiter = l
	if cfg.LimiterFor = nil; rng.IntN(3) == 0 {
		cfg.LimiterFor = s.limiterFor
	}
	if cfg.Breaker = nil; rng.IntN(4) > 0 {
		rules := drawRules(rng)
		cfg.Breaker = &rules
	}
	if s.first.Retry != nil {
		cfg.Retry = []*retry.Policy{nil, s.first.Retry, s.first.Retry, {MaxAttempts: 2, BaseDelay: time.Second, Jitter: retry.NoJitter}}[rng.IntN(4)]
	}
	cfg.MaxWait = []time.Duration{0, 2 * time.Second, engine.NoWait}[rng.IntN(3)]
	w.guards.draw(rng, &cfg)
	cfg.MaxQueue = []int{0, 1 + rng.IntN(5)}[rng.IntN(2)]
	if cfg.MaxKeys = s.first.MaxKeys * (1 + rng.IntN(3)); !s.tight {
		cfg.MaxKeys = len(s.keys) + rng.IntN(100)
	}
	cfg.IdleAfter = []time.Duration{time.Minute, 10 * time.Minute, time.Hour}[rng.IntN(3)]
	cfg.PerCall, cfg.Shadow = rng.IntN(3) == 0, rng.IntN(6) == 0
	if b.capacity > 0 && rng.IntN(6) == 0 {
		// In shadow tokens are taken as of the instant at which the second limit would have let the call pass.
		cfg.Limiter, cfg.Shadow = limiter.All(b.limiter(), secondLimit), false
	}
	return cfg, b
}

// limiterFor is the LimiterFor of the side.
func (s *side) limiterFor(key string) limiter.Limiter {
	k := s.key(key)
	k.planning.Lock()
	defer k.planning.Unlock()
	return k.plan
}

// key returns the key of that name.
func (s *side) key(name string) *worldKey {
	for i := range s.keys {
		if s.keys[i].name == name {
			return &s.keys[i]
		}
	}
	panic("the engine asks for the limit of a key that nobody has used: " + name)
}

// change puts other policies into force or, where keys have plans, gives some keys other plans. Nobody
// else does anything in this instant before the change.
func (s *side) change(t *testing.T, w *world, rng *rand.Rand) {
	if !s.byPlan || rng.IntN(2) == 0 {
		cfg, b := s.draw(w, rng)
		s.reconfigure(t, w, rng, cfg, b)
		return
	}
	for range 5 {
		s.refresh(w, rng, &s.keys[rng.IntN(len(s.keys))])
	}
}

// reconfigure puts cfg into force, in which b is the bucket of a key without a plan.
func (s *side) reconfigure(t *testing.T, w *world, rng *rand.Rand, cfg engine.Config, b bucket) {
	c := keyChange{now: w.now(), byPlan: s.byPlan || cfg.LimiterFor != nil, anew: s.mode.Load().shadow != cfg.Shadow}
	s.limiter, s.common, s.byPlan = cfg.Limiter, b, cfg.LimiterFor != nil
	var sure []*worldKey
	for i := range s.keys {
		k := &s.keys[i]
		c.sure = k.isSure(rng, c.byPlan)
		if c.sure {
			sure = append(sure, k)
		}
		k.change(w, c)
	}
	s.mode.Store(modeOf(cfg))
	require.NoError(t, s.eng.Reconfigure(cfg))
	for _, k := range sure {
		if _, known := s.eng.Inspect(k.name); !known && c.byPlan { // forgotten at once, by a shorter IdleAfter
			k.change(w, keyChange{now: c.now, byPlan: true})
		}
	}
	w.changed.Add(1)
}

// refresh gives a key another plan.
func (s *side) refresh(w *world, rng *rand.Rand, k *worldKey) {
	sure := k.isSure(rng, true)
	k.planning.Lock()
	k.plan, k.planned = nil, bucket{}
	if rng.IntN(4) > 0 {
		k.plan, k.planned = s.drawLimiter(rng)
	}
	k.planning.Unlock()
	k.change(w, keyChange{now: w.now(), byPlan: true, sure: sure})
	s.eng.Refresh(k.name)
	w.changed.Add(1)
}

// isSure has some keys follow the limit in force, and returns true if the key is known then. That is so
// for all keys that may owe more than all tokens, if after the change only a caller can ask for the limit.
func (k *worldKey) isSure(rng *rand.Rand, byPlan bool) bool {
	k.mu.Lock()
	owes := k.held > 0 || k.account.high > k.account.capacity*k.account.token
	k.mu.Unlock()
	if rng.IntN(3) > 0 && !(owes && byPlan) {
		return false
	}
	_, known := k.eng.Inspect(k.name)
	return known
}

// paces reports whether the limit of the key is a leaky bucket.
func (k *worldKey) paces() bool {
	l := k.limiter
	if k.byPlan && k.plan != nil {
		l = k.plan
	}
	_, leaky := l.(limiter.LeakyBucket)
	return leaky
}

// keyChange is a change of the limit of a key.
type keyChange struct {
	now    int64
	byPlan bool // before or after the change, LimiterFor is in force: a key that nobody asks for stays as it was
	sure   bool // the key is known, follows the limit before, and is asked for after the change
	anew   bool // begin the windows anew in any case
}

// change has the accounts go on by the limit that is in force from now on.
func (k *worldKey) change(w *world, c keyChange) {
	to := k.common
	if k.byPlan && k.plan != nil {
		to = k.planned
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.sure {
		k.tighten(c.now)
	}
	a := &k.account
	a.flow(c.now)
	wasLoose := k.loose
	k.loose = wasLoose || c.byPlan && !c.sure
	anew := c.anew || k.loose || a.capacity == 0 || to.capacity == 0
	if anew {
		k.settle(w)
	}
	a.change(c.now, to)
	if k.born.change(c.now, to); c.byPlan {
		k.born.high = 0 // born full
	}
	if k.tight { // a key that was spilled owes no more than all tokens
		a.low = min(a.low, max(0, a.capacity*a.token))
	}
	if wasLoose {
		a.high = max(a.high, a.capacity*a.token)
	}
	if k.loose {
		a.low = 0
	}
	if k.course = k.course.change(c.now, a.token, to); anew {
		k.begin(c.now)
	}
}

// tighten takes note that the key follows the limit in force now.
func (k *worldKey) tighten(now int64) {
	if k.loose {
		k.loose = false
		k.begin(now - 1)
	}
}
