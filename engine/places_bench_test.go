package engine_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// BenchmarkPlaces compares calls of an engine with and without a bound on the calls in flight, and a semaphore for each
// key: a buffered channel in a sync.Map. The bound is never reached. "alone" is an engine with nothing but the bound.
//
//	go test ./engine -run '^$' -bench BenchmarkPlaces -count 10
func BenchmarkPlaces(b *testing.B) {
	bucket := limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.PerSecond(1e9)}
	places := limiter.InFlight{Max: 1000}
	for _, shape := range []struct{ keys, parallel int }{{1, 1}, {1, 32}, {1000, 1}, {1000, 32}} {
		names := make([]string, shape.keys)
		for i := range names {
			names[i] = "tenant-" + strconv.Itoa(i)
		}
		for _, c := range []struct {
			name string
			run  func(b *testing.B) func(ctx context.Context, key string, fn func(context.Context) error) error
		}{
			{"off", runOf(engine.Config{Limiter: bucket, Breaker: &breaker.Policy{}})},
			{"on", runOf(engine.Config{Limiter: bucket, Breaker: &breaker.Policy{}, Concurrency: places})},
			{"alone", runOf(engine.Config{Concurrency: places})},
			{"semaphore", semaphores(places.Max)},
		} {
			b.Run(fmt.Sprintf("keys=%d/parallel=%d/%s", shape.keys, shape.parallel, c.name), func(b *testing.B) {
				run := c.run(b)
				for _, name := range names {
					require.NoError(b, run(context.Background(), name, succeed))
				}
				b.SetParallelism(shape.parallel)
				callAll(b, names, run)
			})
		}
	}
}

func runOf(cfg engine.Config) func(*testing.B) func(context.Context, string, func(context.Context) error) error {
	return func(b *testing.B) func(context.Context, string, func(context.Context) error) error {
		return start(b, cfg).Run
	}
}

// semaphores bounds the calls of each key by a buffered channel.
func semaphores(most int) func(*testing.B) func(context.Context, string, func(context.Context) error) error {
	return func(*testing.B) func(context.Context, string, func(context.Context) error) error {
		var keys sync.Map
		return func(ctx context.Context, key string, fn func(context.Context) error) error {
			v, ok := keys.Load(key)
			if !ok {
				v, _ = keys.LoadOrStore(key, make(chan struct{}, most))
			}
			places := v.(chan struct{})
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			defer func() { <-places }()
			return fn(ctx)
		}
	}
}
