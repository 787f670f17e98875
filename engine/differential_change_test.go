package engine_test

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// scheduled is an engine of a schedule.
type scheduled struct {
	*engine.Engine
	per   time.Duration // of the rates
	full  []int         // tokens of each limit of a new key without a plan
	plans atomic.Pointer[map[string]plan]
}

// plan is the limit of a key and the tokens of each limit of a new key.
type plan struct {
	limiter limiter.Limiter // nil: that of the engine
	full    []int
}

// fullOf returns the tokens of each limit of key when it is new.
func (e *scheduled) fullOf(key string) []int {
	if p, planned := e.plan(key); planned {
		return p.full
	}
	return e.full
}

// plan returns the plan of key, if keys have plans.
func (e *scheduled) plan(key string) (p plan, planned bool) {
	if plans := e.plans.Load(); plans != nil {
		p = (*plans)[key]
	}
	return p, p.limiter != nil
}

// limiterFor is the LimiterFor of the engine.
func (e *scheduled) limiterFor(key string) limiter.Limiter {
	p, _ := e.plan(key)
	return p.limiter
}

// renew resets or forces a key, changes the configuration of an engine or the plan of a key, or does nothing.
func (s *schedule) renew(key string) {
	e, other := s.eng, key
	if s.rng.IntN(2) == 0 {
		e, other = s.wide, "w"
	}
	switch s.rng.IntN(6) {
	case 0:
		s.eng.Reset(key)
	case 1:
		s.change(e)
	case 2:
		if e.plans.Load() != nil {
			s.drawPlans(e, other)
			e.Refresh(other)
		}
	case 3, 4:
		s.force(e, other)
	}
}

// force forces key, or ends that. No forced state ends at the instant of a step.
func (s *schedule) force(e *scheduled, key string) {
	to := []breaker.State{breaker.Open, breaker.Closed}[s.rng.IntN(2)]
	length := []time.Duration{0, 0, time.Duration(1+s.rng.IntN(900))*time.Millisecond + 13, breaker.Forever}[s.rng.IntN(4)]
	s.note("%v by hand for %v: %v", to, length, seen(e.Force(key, to, length)))
}

// drawPlans draws other plans for keys.
func (s *schedule) drawPlans(e *scheduled, keys ...string) {
	plans := map[string]plan{}
	for _, key := range append(scheduleKeys[:], "w") {
		plans[key], _ = e.plan(key)
	}
	for _, key := range keys {
		var p plan
		if p.limiter, p.full = randomLimiter(s.rng, e.per); p.limiter == nil && s.rng.IntN(2) == 0 {
			p.limiter = limiter.Unlimited
		}
		plans[key] = p
	}
	e.plans.Store(&plans)
}

// change gives an engine another random configuration, but where keys are forgotten: what a change leaves a key depends on whether it was
// known, and the contract does not say when a key is forgotten. The simulation and the histories have both together.
func (s *schedule) change(e *scheduled) {
	if s.evicts {
		return
	}
	was := e.Config()
	cfg, full := randomConfig(s.rng, was.Dispatch, e.per)
	cfg.IdleAfter, cfg.Retry = was.IdleAfter, was.Retry
	if s.chainWaits() {
		withoutRates(&cfg)
	}
	cfg.PerCall, cfg.Shadow = s.rng.IntN(3) == 0, s.rng.IntN(4) == 0
	randomPlaces(s.places, &cfg)
	e.plans.Store(nil)
	if s.rng.IntN(2) == 0 {
		s.drawPlans(e, append(scheduleKeys[:], "w")...)
		cfg.LimiterFor = e.limiterFor
	}
	e.full = full
	s.note("changed: %v", seen(e.Reconfigure(cfg)))
	if cfg.LimiterFor != nil {
		for _, key := range append(scheduleKeys[:], "w") {
			e.Inspect(key) // a key with an actor has followed its plan already
		}
	}
}

// randomPlaces bounds the calls in flight, mostly not. Then nobody waits for ever: a schedule has tickets that only it can
// end.
func randomPlaces(rng *rand.Rand, cfg *engine.Config) {
	if rng.IntN(4) > 0 {
		return
	}
	cfg.Concurrency = limiter.InFlight{Max: 1 + rng.IntN(3)}
	if cfg.MaxWait == 0 {
		cfg.MaxWait = time.Second + 17
	}
}

// randomConfig returns a configuration, and the tokens that a new key has of each limit. The rates are in
// tokens per per.
func randomConfig(rng *rand.Rand, d engine.Dispatch, per time.Duration) (cfg engine.Config, full []int) {
	cfg = engine.Config{Dispatch: d, IdleAfter: 24 * time.Hour}
	if rng.IntN(2) == 0 {
		cfg.IdleAfter = time.Duration(1+rng.IntN(8)) * time.Second // keys are evicted
	}
	cfg.Limiter, full = randomLimiter(rng, per)
	if rng.IntN(4) > 0 {
		cfg.Breaker = &breaker.Policy{
			FailureThreshold: 1 + rng.IntN(3), RecoveryTimeout: time.Second, HalfOpenProbes: 1 + rng.IntN(2),
			HalfOpenSuccesses: 1 + rng.IntN(2), ProbeTimeout: 2 * time.Second, ForgetAfter: 5 * time.Second,
		}
		randomGrowth(rng, cfg.Breaker)
		randomRates(rng, cfg.Breaker)
		if cfg.IdleAfter < time.Minute {
			withoutRates(&cfg)
		}
	}
	switch rng.IntN(3) {
	case 0:
		cfg.MaxWait = engine.NoWait
	case 1:
		cfg.MaxWait, cfg.MaxQueue = time.Second, 2
	}
	return cfg, full
}

// randomLimiter returns a limit, or nil, and the tokens that a new key has of each.
func randomLimiter(rng *rand.Rand, per time.Duration) (l limiter.Limiter, full []int) {
	bucket := limiter.TokenBucket{Capacity: 1 + rng.IntN(5), RefillRate: limiter.Per(int64(1+rng.IntN(20)), per)}
	leaky := limiter.LeakyBucket{Capacity: 1 + rng.IntN(5), LeakRate: limiter.Per(int64(1+rng.IntN(20)), per)}
	window := limiter.FixedWindow{Max: 1 + rng.IntN(5), Per: per / time.Duration(1+rng.IntN(5)), Offset: time.Duration(rng.Int64N(int64(per)))}
	switch rng.IntN(9) {
	case 6:
		return window, []int{window.Max}
	case 7:
		return limiter.All(window, bucket), []int{window.Max, bucket.Capacity}
	case 8:
		return limiter.All(leaky, window), []int{leaky.Capacity, window.Max}
	case 0:
		return leaky, []int{leaky.Capacity}
	case 1:
		return limiter.All(bucket, leaky), []int{bucket.Capacity, leaky.Capacity}
	case 2:
		return nil, nil
	default:
		return bucket, []int{bucket.Capacity}
	}
}
