package engine_test

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// randomGrowth has a breaker tolerate failures of probes, and its open time grow; mostly neither.
func randomGrowth(rng *rand.Rand, p *breaker.Policy) {
	if rng.IntN(3) == 0 {
		p.HalfOpenFailures = rng.IntN(2)
		p.MaxRecovery = time.Duration(1+rng.IntN(5)) * time.Second
		p.RecoveryJitter, p.Seed = 0.25*float64(rng.IntN(5)), 1+rng.Uint64N(9)
	}
}

// randomRates has a breaker judge shares of calls, in two schedules of five.
func randomRates(rng *rand.Rand, p *breaker.Policy) {
	if rng.IntN(5) > 1 {
		return
	}
	if rng.IntN(2) == 0 {
		p.FailureThreshold = 0
	}
	p.FailureRate = []float64{0, 0.25, 0.5, 0.75, 1}[rng.IntN(5)]
	if p.FailureRate == 0 || rng.IntN(2) == 0 {
		p.SlowRate, p.SlowAfter = []float64{0.25, 0.5, 1}[rng.IntN(3)], time.Duration(50+rng.IntN(300))*time.Millisecond
	}
	p.MinCalls = 1 + rng.IntN(5)
	switch rng.IntN(3) {
	case 0:
		p.WindowCalls = p.MinCalls + rng.IntN(8)
	case 1:
		p.Window = time.Duration(1+rng.IntN(20)) * time.Second
	}
}

// withoutRates takes the rates away, for one of two reasons. Where keys are forgotten in the time that a schedule takes: the contract
// does not say when, and the successes are forgotten with the key, also one that ends later. The simulation has both together. And where
// a chain has passed its narrow key and waits: a window that begins with a change may lack the success of a call that runs already.
func withoutRates(cfg *engine.Config) {
	if cfg.Breaker == nil {
		return
	}
	other := *cfg.Breaker
	other.FailureRate, other.SlowRate, other.SlowAfter, other.Window, other.WindowCalls, other.MinCalls = 0, 0, 0, 0, 0, 0
	cfg.Breaker = &other
}

// takes returns a function that takes some time, mostly none, and then fails or does not.
func (s *schedule) takes() func(context.Context) error {
	err, long := s.outcome(), time.Duration(0)
	if s.rng.IntN(4) == 0 {
		long = time.Duration(s.rng.IntN(500))*time.Millisecond + 3
	}
	return func(context.Context) error {
		time.Sleep(long)
		return err
	}
}
