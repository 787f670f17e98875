package contender

import (
	"context"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

// failsafeGo is github.com/failsafe-go/failsafe-go: retries around a limiter around a breaker, for each key in a sync.Map.
// The limiter is outside, because its refusal would count for the breaker if it were inside.
func failsafeGo() Contender {
	return Contender{
		Name: "failsafe-go", Kind: Peer, Does: Pipeline | Waits, Algorithm: Window, Heavy: true,
		Cannot: "a fixed window, so that twice the capacity can go around its edge (its smooth limiter has no burst); an open " +
			"breaker still takes a token, because a limiter inside its breaker would report a refusal as an outcome; a panic is " +
			"not counted, and a probe that panics or hangs keeps the breaker shut for ever; keys are never evicted",
		Limited: ratelimiter.ErrExceeded, Open: []error{circuitbreaker.ErrOpen},
		New: func(s Settings) (Guard, error) { return &failsafeGuard{settings: s}, nil },
	}
}

type failsafeGuard struct {
	partial
	settings Settings
	keys     syncMap[*failsafeKey]
}

type failsafeKey struct {
	limiter  ratelimiter.RateLimiter[struct{}]
	pipeline failsafe.Executor[struct{}]
}

func (g *failsafeGuard) find(key string) *failsafeKey {
	k, ok := g.keys.Load(key)
	if !ok {
		k, _ = g.keys.LoadOrStore(key, newFailsafeKey(g.settings))
	}
	return k
}

func newFailsafeKey(s Settings) *failsafeKey {
	var k failsafeKey
	var policies []failsafe.Policy[struct{}] // from the outside in
	if s.Attempts > 0 {
		policies = append(policies, retrypolicy.NewBuilder[struct{}]().
			AbortOnErrors(ratelimiter.ErrExceeded, circuitbreaker.ErrOpen).
			WithMaxAttempts(s.Attempts).
			WithBackoff(s.BaseDelay, 1<<20*s.BaseDelay).
			ReturnLastFailure().
			Build())
	}
	if s.Capacity > 0 {
		k.limiter = ratelimiter.NewBursty[struct{}](uint(s.Capacity), time.Duration(s.Capacity)*s.Interval)
		policies = append(policies, k.limiter)
	}
	policies = append(policies, circuitbreaker.NewBuilder[struct{}]().
		HandleIf(func(_ struct{}, err error) bool { return err != nil && !cancelled(err) }).
		WithFailureThreshold(uint(s.FailureThreshold)).
		WithDelay(s.RecoveryTimeout).
		WithSuccessThreshold(1).
		Build())
	k.pipeline = failsafe.With(policies...)
	return &k
}

func (g *failsafeGuard) Allow(key Key) bool { return g.find(key.Name).limiter.TryAcquirePermit() }

func (g *failsafeGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	return g.find(key.Name).pipeline.WithContext(ctx).RunWithExecution(
		func(e failsafe.Execution[struct{}]) error { return fn(e.Context()) })
}

func (g *failsafeGuard) Wait(ctx context.Context, key Key) error {
	return g.find(key.Name).limiter.AcquirePermit(ctx)
}
