package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// BenchmarkTimeLimits is a call of one key with a time limit, next to a context with a timeout and nothing else.
func BenchmarkTimeLimits(b *testing.B) {
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.PerSecond(1e9)}, Breaker: &breaker.Policy{}}
	with := func(attempt, call time.Duration, r *retry.Policy) engine.Config {
		cfg := cfg
		cfg.AttemptTimeout, cfg.Timeout, cfg.Retry = attempt, call, r
		return cfg
	}
	for _, c := range []struct {
		name string
		run  func(b *testing.B) func(context.Context, string, func(context.Context) error) error
	}{
		{"none", runOf(cfg)},
		{"context.WithTimeout", func(*testing.B) func(context.Context, string, func(context.Context) error) error {
			return func(ctx context.Context, _ string, fn func(context.Context) error) error {
				ctx, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				return fn(ctx)
			}
		}},
		{"AttemptTimeout", runOf(with(time.Minute, 0, nil))},
		{"both", runOf(with(time.Minute, time.Hour, nil))},
		{"both, with retries", runOf(with(time.Minute, time.Hour, &retry.Policy{MaxAttempts: 3}))},
	} {
		b.Run(c.name, func(b *testing.B) {
			run := c.run(b)
			b.ReportAllocs()
			for b.Loop() {
				if err := run(context.Background(), "key", succeed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
