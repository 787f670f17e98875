package engine_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// BenchmarkRates is an admitted call that succeeds, with a breaker that judges by rate, beside one that counts failures in a row.
// Compare within one run.
func BenchmarkRates(b *testing.B) {
	for _, keys := range []int{1, 1000} {
		names := make([]string, keys)
		for i := range names {
			names[i] = "tenant-" + strconv.Itoa(i)
		}
		for _, c := range []struct {
			name   string
			policy breaker.Policy
		}{
			{"row", breaker.Policy{}},
			{"time", breaker.Policy{FailureRate: 0.5}},
			{"calls", breaker.Policy{FailureRate: 0.5, WindowCalls: 100}},
			{"slow", breaker.Policy{SlowRate: 0.5, SlowAfter: time.Second}},
		} {
			b.Run(fmt.Sprintf("keys=%d/%s", keys, c.name), func(b *testing.B) {
				eng := start(b, engine.Config{
					Breaker: &c.policy, Limiter: limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.PerSecond(1e9)},
				})
				for range 2 {
					for _, name := range names {
						require.NoError(b, eng.Run(context.Background(), name, succeed))
					}
				}
				callAll(b, names, eng.Run)
			})
		}
	}
}

// callAll makes calls of random keys from all processors.
func callAll(b *testing.B, names []string, run func(context.Context, string, func(context.Context) error) error) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		i := uint64(0)
		for pb.Next() {
			i = i*6364136223846793005 + 1442695040888963407
			if err := run(context.Background(), names[(i>>33)%uint64(len(names))], succeed); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
