package engine_test

import (
	"context"
	"testing"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// BenchmarkChain is a call for one, two and three keys, each with a limiter and a breaker, by a handle. "built" makes the chain
// of two for each call.
func BenchmarkChain(b *testing.B) {
	ctx := context.Background()
	var keys []engine.Key
	for range 3 {
		keys = append(keys, start(b, engine.Config{
			Breaker: opensAfter(5), Limiter: limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.PerSecond(1e9)},
		}).Key("k"))
	}
	for name, k := range map[string]engine.Key{
		"keys=1": keys[0], "keys=2": engine.Chain(keys[0], keys[1]), "keys=3": engine.Chain(keys[0], keys[1:]...),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = k.Run(ctx, succeed)
			}
		})
	}
	b.Run("built", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = engine.Chain(keys[0], keys[1]).Run(ctx, succeed)
		}
	})
}
