// Package places_test compares the cost of a bound on the calls in flight with that of the bulkhead of failsafe-go.
package places_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// most is the bound for each key, which is never reached.
const most = 1000

// run makes a call of a key within the bound of that key.
type run func(ctx context.Context, key string, fn func(context.Context) error) error

// BenchmarkPlaces is a call that gets a place at once, with a bound for each key. Compare within one run.
//
//	go test ./peers/places -run '^$' -bench . -count 10
func BenchmarkPlaces(b *testing.B) {
	for _, keys := range []int{1, 1000} {
		names := make([]string, keys)
		for i := range names {
			names[i] = "tenant-" + strconv.Itoa(i)
		}
		for _, c := range []struct {
			name string
			made func(b *testing.B) run
		}{
			{"engine", benchEngine},
			{"failsafe-go", func(*testing.B) run { return benchFailsafe() }},
			{"failsafe-go-bare", func(*testing.B) run { return benchBare() }},
		} {
			b.Run(fmt.Sprintf("keys=%d/%s", keys, c.name), func(b *testing.B) { calls(b, c.made(b), names) })
		}
	}
}

func succeed(context.Context) error { return nil }

// calls makes calls of random keys from all processors.
func calls(b *testing.B, run run, names []string) {
	for _, name := range names {
		require.NoError(b, run(b.Context(), name, succeed))
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

func benchEngine(b *testing.B) run {
	eng, err := engine.New(engine.Config{Concurrency: limiter.InFlight{Max: most}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, eng.Close(context.Background())) })
	return eng.Run
}

// find returns what key has, made by the first call.
func find[V any](keys *sync.Map, key string, made func() V) V {
	v, ok := keys.Load(key)
	if !ok {
		v, _ = keys.LoadOrStore(key, made())
	}
	return v.(V)
}

// benchFailsafe is the bulkhead in an executor, as its users write it.
func benchFailsafe() run {
	made := func() failsafe.Executor[struct{}] { return failsafe.With(bulkhead.New[struct{}](most)) }
	var keys sync.Map
	return func(ctx context.Context, key string, fn func(context.Context) error) error {
		return find(&keys, key, made).WithContext(ctx).RunWithExecution(
			func(e failsafe.Execution[struct{}]) error { return fn(e.Context()) })
	}
}

// benchBare is the bulkhead without an executor.
func benchBare() run {
	var keys sync.Map
	return func(ctx context.Context, key string, fn func(context.Context) error) error {
		b := find(&keys, key, func() bulkhead.Bulkhead[struct{}] { return bulkhead.New[struct{}](most) })
		if err := b.AcquirePermit(ctx); err != nil {
			return err
		}
		defer b.ReleasePermit()
		return fn(ctx)
	}
}
