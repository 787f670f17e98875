package rates_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/bench/peers/perkey"
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

// BenchmarkRates is an admitted call that succeeds, with a breaker for each key that judges by rate
// in a window of time. Compare within one run, or in rounds that alternate.
//
// failsafe-go-bare asks the breaker for a permit and reports the success, without an executor.
func BenchmarkRates(b *testing.B) {
	perkey.Bench(b, []perkey.Contender{
		{Name: "engine", Made: func(b *testing.B) perkey.Run { return benchEngine(b, engine.Config{}) }},
		{Name: "engine-limited", Made: func(b *testing.B) perkey.Run {
			return benchEngine(b, engine.Config{
				Limiter: limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.PerSecond(1e9)},
			})
		}},
		{Name: "gobreaker", Made: benchGoBreaker},
		{Name: "failsafe-go", Made: benchFailsafe},
		{Name: "failsafe-go-bare", Made: benchFailsafeBare},
	})
}

func benchEngine(b *testing.B, cfg engine.Config) perkey.Run {
	cfg.Breaker = &breaker.Policy{FailureRate: benchRate, MinCalls: benchCalls, Window: benchSpan}
	eng, err := engine.New(cfg)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, eng.Close(context.Background())) })
	return eng.Run
}

func benchGoBreaker(*testing.B) perkey.Run {
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
		_, err := perkey.Find(&keys, key, made).Execute(func() (struct{}, error) { return struct{}{}, fn(ctx) })
		return err
	}
}

func newBenchFailsafe() circuitbreaker.CircuitBreaker[struct{}] {
	return circuitbreaker.NewBuilder[struct{}]().
		WithFailureRateThreshold(benchRate, benchCalls, benchSpan).
		WithSuccessThreshold(1).
		Build()
}

func benchFailsafe(*testing.B) perkey.Run {
	made := func() failsafe.Executor[struct{}] { return failsafe.With(newBenchFailsafe()) }
	var keys sync.Map
	return func(ctx context.Context, key string, fn func(context.Context) error) error {
		return perkey.Find(&keys, key, made).WithContext(ctx).RunWithExecution(
			func(e failsafe.Execution[struct{}]) error { return fn(e.Context()) })
	}
}

func benchFailsafeBare(*testing.B) perkey.Run {
	var keys sync.Map
	return func(ctx context.Context, key string, fn func(context.Context) error) error {
		b := perkey.Find(&keys, key, newBenchFailsafe)
		if !b.TryAcquirePermit() {
			return circuitbreaker.ErrOpen
		}
		err := fn(ctx)
		b.RecordError(err)
		return err
	}
}
