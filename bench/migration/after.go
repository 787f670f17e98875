package migration

import (
	"context"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// gobreakerHere stops calls after five failures in a row, for 10 s. The key names the upstream.
func gobreakerHere() (func(ctx context.Context, f fetch) (string, error), *engine.Engine, error) {
	upstreams, err := engine.New(engine.Config{Breaker: &breaker.Policy{FailureThreshold: 5, RecoveryTimeout: 10 * time.Second}})
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, f fetch) (string, error) { return engine.Do(ctx, upstreams, "api", f) }, upstreams, nil
}

// rateHere limits each user to 10 calls a second. A user that does not come back is forgotten.
func rateHere() (allow func(user string) bool, wait func(ctx context.Context, user string) error, users *engine.Engine, err error) {
	users, err = engine.New(engine.Config{Limiter: limiter.TokenBucket{Capacity: 20, RefillRate: limiter.PerSecond(10)}})
	if err != nil {
		return nil, nil, nil, err
	}
	return users.Allow, users.Acquire, users, nil
}

// failsafeHere retries twice around a breaker that opens when half of at least 20 calls in 10 s fail.
func failsafeHere() (func(ctx context.Context, f fetch) (string, error), *engine.Engine, error) {
	upstreams, err := engine.New(engine.Config{
		Breaker: &breaker.Policy{FailureRate: 0.5, MinCalls: 20, Window: 10 * time.Second},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: 100 * time.Millisecond, MaxDelay: time.Second},
	})
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, f fetch) (string, error) { return engine.Do(ctx, upstreams, "api", f) }, upstreams, nil
}

// backoffHere makes up to four attempts, 100 ms apart at first. Retries alone need no engine.
func backoffHere() func(ctx context.Context, f fetch) (string, error) {
	policy := retry.Policy{MaxAttempts: 4, BaseDelay: 100 * time.Millisecond, MaxDelay: time.Minute}
	return func(ctx context.Context, f fetch) (string, error) { return retry.Do(ctx, policy, f) }
}
