package engine_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// BenchmarkRefused is the cost of a refusal that is read off the gate: of Allow by an empty bucket,
// and of Run by an open breaker.
func BenchmarkRefused(b *testing.B) {
	for _, keys := range []int{1, 1_000} {
		names := make([]string, keys)
		for i := range names {
			names[i] = "tenant-" + strconv.Itoa(i)
		}
		for name, refuse := range map[string]func(*testing.B) func(string){"empty": refusedEmpty, "open": refusedOpen} {
			b.Run(fmt.Sprintf("%s/keys=%d", name, keys), func(b *testing.B) {
				call := refuse(b)
				for range 2 {
					for _, name := range names {
						call(name)
					}
				}
				b.ReportAllocs()
				var starts atomic.Uint64
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					i := starts.Add(1) * 0x9E3779B97F4A7C15
					for pb.Next() {
						i = i*6364136223846793005 + 1442695040888963407
						call(names[(i>>33)%uint64(len(names))])
					}
				})
			})
		}
	}
}

func refusedEmpty(b *testing.B) func(string) {
	eng := start(b, engine.Config{Limiter: oneEvery(1000 * time.Hour)})
	return func(key string) { eng.Allow(key) }
}

func refusedOpen(b *testing.B) func(string) {
	eng := start(b, engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: 1000 * time.Hour},
		Limiter: limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.PerSecond(1e9)},
	})
	ctx := context.Background()
	return func(key string) { _ = eng.Run(ctx, key, fail) }
}
