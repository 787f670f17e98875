package engineprom_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/engineprom"
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
		Name: name, Dispatch: d, Latency: true, Breaker: &breaker.Policy{FailureThreshold: 1},
		Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Hour)},
	}
}

// times is how often the tests scrape: an actor that is sent so many messages stays for a while.
const times = 100

// actorsOf returns the number of actors that run.
func actorsOf(engines ...*engine.Engine) (n int) {
	synctest.Wait()
	for _, e := range engines {
		n += e.Stats().Actors
	}
	return n
}

func TestAScrapeSendsNoMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engines := []*engine.Engine{start(t, full("a", engine.Published)), start(t, full("b", engine.Mailbox))}
		for _, eng := range engines {
			fill(t, eng, 100)
			require.ErrorIs(t, eng.Run(t.Context(), "key 1", fail), errDown) // the breaker is open
			require.NoError(t, eng.Run(t.Context(), "key 2", succeed))
		}
		reg, _ := registered(t, engines...)
		time.Sleep(time.Minute)
		require.Zero(t, actorsOf(engines...), "the actors of the calls have not left, so the test could see nothing")
		for range times {
			require.NotEmpty(t, gather(t, reg))
			synctest.Wait()
		}
		require.Zero(t, actorsOf(engines...), "scrapes have woken an actor")
		// The test would see messages: each of these calls sends one.
		for range times {
			engines[1].Allow("key 3")
			synctest.Wait()
		}
		require.Equal(t, 1, actorsOf(engines...))
	})
}

// TestTheWorkOfAScrapeDoesNotDependOnTheKeys, by its allocations.
func TestTheWorkOfAScrapeDoesNotDependOnTheKeys(t *testing.T) {
	work := func(keys int) float64 {
		eng := start(t, full("a", engine.Published))
		fill(t, eng, keys)
		_, c := registered(t, eng)
		out := make(chan prometheus.Metric, 1000)
		return testing.AllocsPerRun(20, func() {
			c.Collect(out)
			for range len(out) {
				<-out
			}
		})
	}
	require.InDelta(t, work(10), work(20_000), 5)
}

// BenchmarkScrape answers scrapes of 20 engines with a million keys in all, histograms included.
func BenchmarkScrape(b *testing.B) {
	var engines []*engine.Engine
	for i := range 20 {
		engines = append(engines, start(b, full(fmt.Sprint("engine ", i), engine.Published)))
		fill(b, engines[i], 50_000)
	}
	c, err := engineprom.New(engines...)
	require.NoError(b, err)
	reg := prometheus.NewRegistry()
	require.NoError(b, reg.Register(c))
	h := promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.PanicOnError})
	size := 0
	b.ReportAllocs()
	for b.Loop() {
		size = len(serve(h))
	}
	keys := 0
	for _, eng := range engines {
		require.Zero(b, eng.Stats().Actors)
		keys += eng.Stats().Keys
	}
	b.ReportMetric(float64(keys), "keys")
	b.ReportMetric(float64(size), "B/scrape")
}
