package engineprom_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/engineprom"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// TestScrape compares the scrape after known calls with testdata/scrape.txt, which `go test
// -rewrite` writes.
func TestScrape(t *testing.T) {
	const golden = "testdata/scrape.txt"
	synctest.Test(t, func(t *testing.T) {
		api := start(t, engine.Config{
			Name:    "api",
			Limiter: limiter.TokenBucket{Capacity: 4, RefillRate: limiter.PerSecond(1)},
			Breaker: &breaker.Policy{FailureThreshold: 2, RecoveryTimeout: time.Minute},
			Retry:   &retry.Policy{MaxAttempts: 2, BaseDelay: time.Millisecond, Jitter: retry.NoJitter},
			MaxWait: engine.NoWait,
			Latency: true,
		})
		sleep := func(context.Context) error { time.Sleep(3 * time.Millisecond); return nil }
		require.NoError(t, api.Run(t.Context(), "alice", sleep))
		require.ErrorIs(t, api.Run(t.Context(), "bob", fail), errDown)
		require.ErrorIs(t, api.Run(t.Context(), "bob", succeed), breaker.ErrOpen)
		for range 5 {
			api.Allow("carol")
		}
		require.NoError(t, api.Reconfigure(api.Config()))
		synctest.Wait()
		reg, _ := registered(t, api, start(t, engine.Config{Name: "idle"}))
		text := serve(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
		if *rewrite {
			require.NoError(t, os.WriteFile(golden, []byte(text), 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Equal(t, string(want), text)
		for _, key := range []string{"alice", "bob", "carol"} {
			require.NotContains(t, text, key, "a key in a scrape")
		}
	})
}

func TestEverySeriesExistsFromTheFirstScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := time.Now()
		eng := start(t, engine.Config{Name: "new", Latency: true})
		time.Sleep(time.Hour)
		reg, _ := registered(t, eng)
		before := gather(t, reg)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		after := gather(t, reg)
		require.Len(t, before, 21)
		for name, family := range before {
			require.Len(t, after[name].Metric, len(family.Metric), "%s has a series that did not exist at first", name)
			for _, m := range family.Metric {
				require.Equal(t, "new", labelsOf(m)["engine"], name)
				require.Zero(t, m.GetGauge().GetValue(), name)
				require.Zero(t, m.GetCounter().GetValue(), name)
				require.Zero(t, m.GetHistogram().GetSampleCount(), name)
				switch {
				case m.Counter != nil:
					require.Equal(t, first.UTC(), m.Counter.CreatedTimestamp.AsTime(), name)
				case m.Histogram != nil:
					require.Equal(t, first.UTC(), m.Histogram.CreatedTimestamp.AsTime(), name)
				}
			}
		}
	})
}

func TestPrometheusHasNothingToObject(t *testing.T) {
	reg, _ := registered(t, start(t, engine.Config{Name: "a", Latency: true}), start(t, engine.Config{Name: "b"}), start(t, engine.Config{}))
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
}

// TestLabelsAreFewAndNoKeys holds the metrics to these labels: a key must never be the value of a
// label.
func TestLabelsAreFewAndNoKeys(t *testing.T) {
	allowed := []string{"engine", "result", "outcome", "state", "to"}
	reg, _ := registered(t, start(t, engine.Config{Name: "a", Latency: true}))
	for name, family := range gather(t, reg) {
		for _, m := range family.Metric {
			for label := range labelsOf(m) {
				require.Contains(t, allowed, label, name)
			}
		}
	}
}

func TestEnginesThatCannotBeAdded(t *testing.T) {
	a, a2, unnamed, unnamed2 := start(t, engine.Config{Name: "a"}), start(t, engine.Config{Name: "a"}), start(t, engine.Config{}), start(t, engine.Config{})
	odd := start(t, engine.Config{Name: "\xff"})
	for _, row := range []struct {
		name    string
		engines []*engine.Engine
		want    []string
	}{
		{"none", nil, nil},
		{"one with a name and one without", []*engine.Engine{a, unnamed}, nil},
		{"two of one name", []*engine.Engine{a, a2}, []string{`engineprom: engines[1]: there is another engine whose Config.Name = "a"`}},
		{"the same twice", []*engine.Engine{a, a}, []string{`engines[1]: there is another engine whose Config.Name = "a"`}},
		{"two without a name", []*engine.Engine{unnamed, a, unnamed2}, []string{`engines[2]: there is another engine whose Config.Name = ""`}},
		{"nil", []*engine.Engine{a, nil}, []string{"engineprom: engines[1] is nil"}},
		{"not UTF-8", []*engine.Engine{odd}, []string{`engineprom: engines[0]: Config.Name = "\xff" is not UTF-8`}},
		{"all at once", []*engine.Engine{nil, odd, a, a2}, []string{"engines[0]", "engines[1]", "engines[3]"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := engineprom.New(row.engines...)
			if row.want == nil {
				require.NoError(t, err)
				return
			}
			require.Nil(t, c)
			lines := strings.Split(err.Error(), "\n")
			require.Len(t, lines, len(row.want))
			for i, want := range row.want {
				require.Contains(t, lines[i], want)
			}
		})
	}
}

// shown returns the names of the engines of which reg shows the keys.
func shown(t *testing.T, reg prometheus.Gatherer) (names []string) {
	t.Helper()
	for _, m := range gather(t, reg)["limitpal_keys"].GetMetric() {
		names = append(names, labelsOf(m)["engine"])
	}
	slices.Sort(names)
	return names
}

func TestEnginesComeAndGo(t *testing.T) {
	a, b, a2 := start(t, engine.Config{Name: "a"}), start(t, engine.Config{Name: "b"}), start(t, engine.Config{Name: "a"})
	reg, c := registered(t)
	require.Empty(t, shown(t, reg))
	require.NoError(t, c.Add(a))
	require.Equal(t, []string{"a"}, shown(t, reg))
	require.Error(t, c.Add(b, a2), "a is taken")
	require.Equal(t, []string{"a"}, shown(t, reg), "b was added although the call failed")
	require.NoError(t, c.Add(b))
	require.Equal(t, []string{"a", "b"}, shown(t, reg))
	c.Remove(a, a2, nil)
	require.Equal(t, []string{"b"}, shown(t, reg))
	require.NoError(t, c.Add(a2), "the name is free again")
	require.Equal(t, []string{"a", "b"}, shown(t, reg))
	require.NoError(t, a2.Close(t.Context()))
	require.Equal(t, []string{"a", "b"}, shown(t, reg), "a closed engine shows its last figures")
	var zero engineprom.Collector
	require.NoError(t, zero.Add(a))
	require.Positive(t, testutil.CollectAndCount(&zero))
}

func TestScrapesWhileEnginesComeAndGoAndCallsRun(t *testing.T) {
	stays := start(t, engine.Config{Name: "stays", Latency: true})
	reg, c := registered(t, stays)
	ctx, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	others.Go(func() {
		for ctx.Err() == nil {
			_ = stays.Run(ctx, "k", succeed)
		}
	})
	others.Go(func() {
		for ctx.Err() == nil {
			eng, err := engine.New(engine.Config{Name: "comes and goes"})
			if err == nil {
				err = c.Add(eng)
			}
			if err != nil {
				t.Error(err)
				return
			}
			c.Remove(eng)
			_ = eng.Close(context.Background())
		}
	})
	for range 200 {
		for _, h := range []string{"limitpal_queue_wait_seconds", "limitpal_attempt_duration_seconds"} {
			requireSoundNative(t, gather(t, reg)[h].Metric[0].Histogram)
		}
		require.Contains(t, shown(t, reg), "stays")
	}
	stop()
	others.Wait()
}
