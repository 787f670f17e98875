package engineotel_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// fill makes calls for keys of eng.
func fill(t testing.TB, eng *engine.Engine, keys int) {
	t.Helper()
	for i := range keys {
		require.True(t, eng.Allow(fmt.Sprintf("key %d", i)))
	}
}

// full is the configuration of an engine with all stages.
func full(name string, d engine.Dispatch) engine.Config {
	return engine.Config{
		Name: name, Dispatch: d, Breaker: &breaker.Policy{FailureThreshold: 1},
		Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Hour)},
	}
}

// times is how often the tests collect: an actor that is sent so many messages stays for a while.
const times = 100

// actorsOf returns the number of actors that run.
func actorsOf(engines ...*engine.Engine) (n int) {
	synctest.Wait()
	for _, e := range engines {
		n += e.Stats().Actors
	}
	return n
}

func TestACollectionSendsNoMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engines := []*engine.Engine{start(t, full("a", engine.Published)), start(t, full("b", engine.Mailbox))}
		for _, eng := range engines {
			fill(t, eng, 100)
			require.ErrorIs(t, eng.Run(t.Context(), "key 1", fail), errDown) // the breaker is open
			require.NoError(t, eng.Run(t.Context(), "key 2", succeed))
		}
		reader, _ := registered(t, engines...)
		time.Sleep(time.Minute)
		require.Zero(t, actorsOf(engines...), "the actors of the calls have not left, so the test could see nothing")
		for range times {
			require.NotEmpty(t, collect(t, reader))
			synctest.Wait()
		}
		require.Zero(t, actorsOf(engines...), "collections have woken an actor")
		// The test would see messages: each of these calls sends one.
		for range times {
			engines[1].Allow("key 3")
			synctest.Wait()
		}
		require.Equal(t, 1, actorsOf(engines...))
	})
}

// TestTheWorkOfACollectionDoesNotDependOnTheKeys, by its allocations.
func TestTheWorkOfACollectionDoesNotDependOnTheKeys(t *testing.T) {
	work := func(keys int) float64 {
		eng := start(t, full("a", engine.Published))
		fill(t, eng, keys)
		reader, _ := registered(t, eng)
		var all metricdata.ResourceMetrics
		return testing.AllocsPerRun(20, func() { require.NoError(t, reader.Collect(context.Background(), &all)) })
	}
	require.InDelta(t, work(10), work(20_000), 5)
}

// BenchmarkCollect collects the metrics of 20 engines with a million keys in all.
func BenchmarkCollect(b *testing.B) {
	var engines []*engine.Engine
	for i := range 20 {
		engines = append(engines, start(b, full(fmt.Sprint("engine ", i), engine.Published)))
		fill(b, engines[i], 50_000)
	}
	reader, _ := registered(b, engines...)
	var all metricdata.ResourceMetrics
	b.ReportAllocs()
	for b.Loop() {
		if err := reader.Collect(context.Background(), &all); err != nil {
			b.Fatal(err)
		}
	}
	keys := 0
	for _, eng := range engines {
		require.Zero(b, eng.Stats().Actors)
		keys += eng.Stats().Keys
	}
	b.ReportMetric(float64(keys), "keys")
}
