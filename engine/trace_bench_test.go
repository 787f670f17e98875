package engine_test

import (
	"context"
	"testing"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// BenchmarkWatched is a call of one key that passes: with nothing on, with Latency, and with a Trace whose hooks do nothing.
func BenchmarkWatched(b *testing.B) {
	for _, row := range []struct {
		name string
		cfg  engine.Config
	}{
		{"off", engine.Config{}},
		{"latency", engine.Config{Latency: true}},
		{"trace", engine.Config{Trace: &engine.Trace{
			Attempt:  func(context.Context, string, engine.Attempt) {},
			Rejected: func(context.Context, *engine.Rejection) {},
		}}},
	} {
		b.Run(row.name, func(b *testing.B) {
			row.cfg.Breaker = opensAfter(5)
			row.cfg.Limiter = limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.PerSecond(1e9)}
			k := start(b, row.cfg).Key("k")
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				_ = k.Run(ctx, succeed)
			}
		})
	}
}
