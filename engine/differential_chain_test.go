package engine_test

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// actInChain is act for a chain of key and a wide key.
func (s *schedule) actInChain(ctx context.Context, at int, key string) {
	k := engine.Chain(s.eng.Key(key), s.wide.Key("w"))
	act := s.rng.IntN(5)
	if act == 2 || act == 3 {
		// One at a time: of two calls that get their narrow tokens at one instant, the scheduler says which comes first to the
		// wide key.
		if s.chained != nil && len(s.chained) == 0 {
			return
		}
		defer func() { s.chained = s.waiting[len(s.waiting)-1] }()
	}
	switch act {
	case 0:
		s.note("allow %d and wide: %v", at, k.AllowN(1+s.rng.IntN(2)))
	case 1:
		if err := s.outcome(); s.idle(key) {
			s.note("run %d and wide: %v", at, seen(k.NoWait().Run(ctx, func(context.Context) error { return err })))
		}
	case 2:
		ctx, cancel := context.WithCancel(ctx)
		s.cancels = append(s.cancels, cancel)
		s.wait(func() error { return k.Run(ctx, succeed) })
	case 3:
		ctx, cancel := context.WithTimeout(ctx, time.Duration(1+s.rng.IntN(300))*time.Millisecond)
		s.cancels = append(s.cancels, cancel)
		s.wait(func() error { return k.Acquire(ctx) })
	default:
		if s.rng.IntN(4) == 0 {
			s.wide.Reset("w")
			return
		}
		ticket, err := k.NoWait().Admit(ctx)
		s.note("admit %d and wide: %v", at, seen(err))
		if err == nil {
			time.Sleep(time.Duration(s.rng.IntN(500))*time.Millisecond + 7)
			ticket.Done(s.outcome())
		}
	}
}

// change gives an engine another random configuration, and returns the tokens that a new key has of each limit.
func (s *schedule) change(eng *engine.Engine, per time.Duration) []int {
	was := eng.Config()
	cfg, full := randomConfig(s.rng, was.Dispatch, per)
	cfg.IdleAfter, cfg.PerCall, cfg.Retry = was.IdleAfter, was.PerCall, was.Retry
	s.changed = true
	s.note("changed: %v", seen(eng.Reconfigure(cfg)))
	return full
}

// randomConfig returns a configuration, and the tokens that a new key has of each limit. The rates are in
// tokens per per.
func randomConfig(rng *rand.Rand, d engine.Dispatch, per time.Duration) (cfg engine.Config, full []int) {
	cfg = engine.Config{Dispatch: d, IdleAfter: 24 * time.Hour}
	if rng.IntN(2) == 0 {
		cfg.IdleAfter = time.Duration(1+rng.IntN(8)) * time.Second // keys are evicted
	}
	bucket := limiter.TokenBucket{Capacity: 1 + rng.IntN(5), RefillRate: limiter.Per(int64(1+rng.IntN(20)), per)}
	leaky := limiter.LeakyBucket{Capacity: 1 + rng.IntN(5), LeakRate: limiter.Per(int64(1+rng.IntN(20)), per)}
	switch rng.IntN(6) {
	case 0:
		cfg.Limiter, full = leaky, []int{leaky.Capacity}
	case 1:
		cfg.Limiter, full = limiter.All(bucket, leaky), []int{bucket.Capacity, leaky.Capacity}
	case 2: // none
	default:
		cfg.Limiter, full = bucket, []int{bucket.Capacity}
	}
	if rng.IntN(4) > 0 {
		cfg.Breaker = &breaker.Policy{
			FailureThreshold: 1 + rng.IntN(3), RecoveryTimeout: time.Second, HalfOpenProbes: 1 + rng.IntN(2),
			HalfOpenSuccesses: 1 + rng.IntN(2), ProbeTimeout: 2 * time.Second, ForgetAfter: 5 * time.Second,
		}
		if rng.IntN(3) == 0 {
			cfg.Breaker.HalfOpenFailures = rng.IntN(2)
			cfg.Breaker.MaxRecovery = time.Duration(1+rng.IntN(5)) * time.Second
			cfg.Breaker.RecoveryJitter, cfg.Breaker.Seed = 0.25*float64(rng.IntN(5)), 1+rng.Uint64N(9)
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
