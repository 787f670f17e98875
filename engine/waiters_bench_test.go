package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// BenchmarkBehindWaiters is the cost of a refusal of Allow and of Run, and of Inspect, when many
// callers wait already, for one limit and for several; and of a refusal when a caller has just
// left.
func BenchmarkBehindWaiters(b *testing.B) {
	const most = 16_000
	slow := limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}
	for _, limits := range []struct {
		name string
		limiter.Limiter
	}{
		{"one", slow},
		{"two", limiter.All(slow, limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1)})},
		{"five", limiter.All(slow, slow, slow, slow, slow)},
	} {
		for _, waiting := range []int{10, 1_000, most} {
			b.Run(fmt.Sprintf("limits=%s/waiting=%d", limits.name, waiting), func(b *testing.B) {
				eng := start(b, engine.Config{Limiter: limits.Limiter, MaxQueue: most + 1})
				require.True(b, eng.Allow("k"))
				var waiters sync.WaitGroup
				leave := make([]context.CancelFunc, waiting)
				for i := range leave {
					var ctx context.Context
					ctx, leave[i] = context.WithCancel(b.Context())
					waiters.Go(func() { _ = eng.Acquire(ctx, "k") })
				}
				b.Cleanup(waiters.Wait)
				for s, _ := eng.Inspect("k"); s.Waiting < waiting; s, _ = eng.Inspect("k") {
					time.Sleep(time.Millisecond)
				}
				soon, cancel := context.WithTimeout(b.Context(), time.Hour/2)
				b.Cleanup(cancel)
				b.Run("allow", func(b *testing.B) {
					for b.Loop() {
						eng.Allow("k")
					}
				})
				b.Run("inspect", func(b *testing.B) {
					for b.Loop() {
						eng.Inspect("k")
					}
				})
				b.Run("refused", func(b *testing.B) {
					for b.Loop() {
						_ = eng.Run(soon, "k", nothing)
					}
				})
				b.Run("leave", func(b *testing.B) {
					for i := 0; b.Loop(); i++ {
						if i < waiting {
							leave[i]()
						}
						eng.Allow("k")
					}
				})
				for i := range leave {
					leave[i]()
				}
			})
		}
	}
}
