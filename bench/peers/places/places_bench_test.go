// Package places_test compares the cost of a bound on the calls in flight with that of the bulkhead of failsafe-go.
package places_test

import (
	"context"
	"sync"
	"testing"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/bench/peers/perkey"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// most is the bound for each key, which is never reached.
const most = 1000

// BenchmarkPlaces is a call that gets a place at once, with a bound for each key. Compare within one run.
//
//	go test ./peers/places -run '^$' -bench . -count 10
func BenchmarkPlaces(b *testing.B) {
	perkey.Bench(b, []perkey.Contender{
		{Name: "engine", Made: benchEngine},
		{Name: "failsafe-go", Made: func(*testing.B) perkey.Run { return benchFailsafe() }},
		{Name: "failsafe-go-bare", Made: func(*testing.B) perkey.Run { return benchBare() }},
	})
}

func benchEngine(b *testing.B) perkey.Run {
	eng, err := engine.New(engine.Config{Concurrency: limiter.InFlight{Max: most}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, eng.Close(context.Background())) })
	return eng.Run
}

// benchFailsafe is the bulkhead in an executor, as its users write it.
func benchFailsafe() perkey.Run {
	made := func() failsafe.Executor[struct{}] { return failsafe.With(bulkhead.New[struct{}](most)) }
	var keys sync.Map
	return func(ctx context.Context, key string, fn func(context.Context) error) error {
		return perkey.Find(&keys, key, made).WithContext(ctx).RunWithExecution(
			func(e failsafe.Execution[struct{}]) error { return fn(e.Context()) })
	}
}

// benchBare is the bulkhead without an executor.
func benchBare() perkey.Run {
	var keys sync.Map
	return func(ctx context.Context, key string, fn func(context.Context) error) error {
		b := perkey.Find(&keys, key, func() bulkhead.Bulkhead[struct{}] { return bulkhead.New[struct{}](most) })
		if err := b.AcquirePermit(ctx); err != nil {
			return err
		}
		defer b.ReleasePermit()
		return fn(ctx)
	}
}
