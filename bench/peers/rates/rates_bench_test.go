package rates_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// The breakers of the benchmark: half of at least 20 calls in 10 s.
const (
	benchRate  = 0.5
	benchCalls = 20
	benchSpan  = 10 * time.Second
)

// run makes a call of a key through a breaker of that key.
type run func(ctx context.Context, key string, fn func(context.Context) error) error

// BenchmarkRates is an admitted call that succeeds, with a breaker for each key that judges by rate
// in a window of time. Compare within one run, or in rounds that alternate.
//
// failsafe-go-bare asks the breaker for a permit and reports the success, without an executor.
func BenchmarkRates(b *testing.B) {
	for _, keys := range []int{1, 1000} {
		names := make([]string, keys)
		for i := range names {
			names[i] = "tenant-" + strconv.Itoa(i)
		}
		for _, c := range []struct {
			name string
			made func(b *testing.B) run
		}{
			{"engine", func(b *testing.B) run { return benchEngine(b, engine.Config{}) }},
			{"engine-limited", func(b *testing.B) run {
				return benchEngine(b, engine.Config{
					Limiter: limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.PerSecond(1e9)},
				})
			}},
			{"gobreaker", benchGoBreaker},
			{"failsafe-go", benchFailsafe},
			{"failsafe-go-bare", benchFailsafeBare},
		} {
			b.Run(fmt.Sprintf("keys=%d/%s", keys, c.name), func(b *testing.B) { calls(b, c.made(b), names) })
		}
	}
}

func succeed(context.Context) error { return nil }

// calls makes calls of random keys from all processors.
func calls(b *testing.B, run run, names []string) {
	for range 2 { // the second finds all that the first has made
		for _, name := range names {
			require.NoError(b, run(b.Context(), name, succeed))
		}
	}
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		i := uint64(0)
		for pb.Next() {
			i = i*6364136223846793005 + 1442695040888963407
			if err := run(ctx, names[(i>>33)%uint64(len(names))], succeed); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func benchEngine(b *testing.B, cfg engine.Config) run {
	cfg.Breaker = &breaker.Policy{FailureRate: benchRate, MinCalls: benchCalls, Window: benchSpan}
	eng, err := engine.New(cfg)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, eng.Close(context.Background())) })
	return eng.Run
}

// find returns the breaker of key, made by the first call.
func find[V any](keys *sync.Map, key string, made func() V) V {
	v, ok := keys.Load(key)
	if !ok {
		v, _ = keys.LoadOrStore(key, made())
	}
	return v.(V)
}

func benchGoBreaker(*testing.B) run {
	made := func() *gobreaker.CircuitBreaker[struct{}] {
		return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
			Interval: benchSpan, BucketPeriod: benchSpan / 10,
			ReadyToTrip: func(c gobreaker.Counts) bool {
				ended := c.TotalSuccesses + c.TotalFailures
				return ended >= benchCalls && float64(c.TotalFailures)/float64(ended) >= benchRate
			},
		})
	}
	var keys sync.Map
	return func(ctx context.Context, key string, fn func(context.Context) error) error {
		_, err := find(&keys, key, made).Execute(func() (struct{}, error) { return struct{}{}, fn(ctx) })
		return err
	}
}

func newBenchFailsafe() circuitbreaker.CircuitBreaker[struct{}] {
	return circuitbreaker.NewBuilder[struct{}]().
		WithFailureRateThreshold(benchRate, benchCalls, benchSpan).
		WithSuccessThreshold(1).
		Build()
}

func benchFailsafe(*testing.B) run {
	made := func() failsafe.Executor[struct{}] { return failsafe.With(newBenchFailsafe()) }
	var keys sync.Map
	return func(ctx context.Context, key string, fn func(context.Context) error) error {
		return find(&keys, key, made).WithContext(ctx).RunWithExecution(
			func(e failsafe.Execution[struct{}]) error { return fn(e.Context()) })
	}
}

func benchFailsafeBare(*testing.B) run {
	var keys sync.Map
	return func(ctx context.Context, key string, fn func(context.Context) error) error {
		b := find(&keys, key, newBenchFailsafe)
		if !b.TryAcquirePermit() {
			return circuitbreaker.ErrOpen
		}
		err := fn(ctx)
		b.RecordError(err)
		return err
	}
}
