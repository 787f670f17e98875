package engine_test

import (
	"context"
	"fmt"
	"slices"
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
	slow := limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}
	for _, limits := range []struct {
		name string
		limiter.Limiter
	}{
		{"one", slow},
		{"two", limiter.All(slow, limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1)})},
		{"five", limiter.All(slow, slow, slow, slow, slow)},
	} {
		for _, waiting := range []int{10, 1_000, 16_000} {
			b.Run(fmt.Sprintf("limits=%s/waiting=%d", limits.name, waiting), func(b *testing.B) {
				eng := start(b, engine.Config{Limiter: limits.Limiter, MaxQueue: waiting + 1})
				require.True(b, eng.Allow("k"))
				leave := queue(b, eng, waiting)
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

// queue returns when n callers wait for a token of key k, in a queue of an engine with a MaxQueue
// of n+1. Each of the functions has one of the callers leave. At first n+2 callers come: the
// refusal of one caller says that the queue is full. Then another caller leaves, so that there is
// room.
func queue(b *testing.B, eng *engine.Engine, n int) []context.CancelFunc {
	b.Helper()
	var callers sync.WaitGroup
	b.Cleanup(callers.Wait)
	leave := make([]context.CancelFunc, n+2)
	left := make(chan int, n+2)
	for i := range leave {
		var ctx context.Context
		ctx, leave[i] = context.WithCancel(b.Context())
		callers.Go(func() {
			_ = eng.Acquire(ctx, "k")
			left <- i
		})
	}
	refused := <-left
	leave[refused]()
	leave = slices.Delete(leave, refused, refused+1)
	leave[n]()
	<-left
	s, _ := eng.Inspect("k")
	require.Equal(b, n, s.Waiting)
	return leave[:n]
}
