package engineotel_test

import (
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/engineotel"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

func TestFiguresOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := start(t, engine.Config{
			Name:    "api",
			Limiter: limiter.TokenBucket{Capacity: 4, RefillRate: limiter.PerSecond(1)},
			Breaker: &breaker.Policy{FailureThreshold: 2, RecoveryTimeout: time.Minute},
			Retry:   &retry.Policy{MaxAttempts: 2, BaseDelay: time.Millisecond, Jitter: retry.NoJitter},
			MaxWait: engine.NoWait,
		})
		reader, _ := registered(t, api, start(t, engine.Config{Name: "idle"}))
		before := values(t, reader)
		require.NoError(t, api.Run(t.Context(), "alice", succeed))
		require.ErrorIs(t, api.Run(t.Context(), "bob", fail), errDown)
		require.ErrorIs(t, api.Run(t.Context(), "bob", succeed), breaker.ErrOpen)
		for range 5 {
			api.Allow("carol")
		}
		require.NoError(t, api.Reconfigure(api.Config()))
		synctest.Wait()
		after := values(t, reader)
		require.Len(t, after, len(before), "a series did not exist from the first collection on")
		changed := map[string]float64{}
		for name, v := range after {
			require.Zero(t, before[name], name)
			if v != 0 {
				changed[name] = v
			}
		}
		require.Equal(t, map[string]float64{
			"limitpal.decisions limitpal.engine=api,limitpal.result=admitted":   7,
			"limitpal.decisions limitpal.engine=api,limitpal.result=limited":    1,
			"limitpal.decisions limitpal.engine=api,limitpal.result=open":       1,
			"limitpal.outcomes limitpal.engine=api,limitpal.outcome=success":    1,
			"limitpal.outcomes limitpal.engine=api,limitpal.outcome=failure":    2,
			"limitpal.retries limitpal.engine=api":                              1,
			"limitpal.breaker.keys limitpal.engine=api,limitpal.state=closed":   2,
			"limitpal.breaker.keys limitpal.engine=api,limitpal.state=open":     1,
			"limitpal.breaker.transitions limitpal.engine=api,limitpal.to=open": 1,
			"limitpal.keys limitpal.engine=api":                                 3,
			"limitpal.policy.revision limitpal.engine=api":                      1,
		}, changed)
	})
}

// prometheusName is the name that the Prometheus exporter of OpenTelemetry gives to a metric.
func prometheusName(name, kind, unit string) string {
	name = strings.ReplaceAll(name, ".", "_")
	switch {
	case kind == "counter":
		name += "_total"
	case unit == "1":
		name += "_ratio"
	}
	return name
}

// TestNamesAreThoseOfEngineprom compares names, kinds and labels with the scrape that package
// engineprom is held to.
func TestNamesAreThoseOfEngineprom(t *testing.T) {
	scrape, err := os.ReadFile("../engineprom/testdata/scrape.txt")
	require.NoError(t, err)
	want := map[string]bool{}
	kinds := map[string]string{}
	for line := range strings.Lines(string(scrape)) {
		if kind, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(strings.TrimSpace(kind), " ")
			kinds[name] = kind
		} else if series, _, _ := strings.Cut(line, " "); strings.Contains(series, `engine="idle"`) {
			want[series] = true // without Config.Latency, so it has no histograms
		}
	}
	reader, _ := registered(t, start(t, engine.Config{Name: "idle"}))
	got := map[string]bool{}
	for name, m := range collect(t, reader) {
		points, kind := pointsOf(t, m)
		promName := prometheusName(name, kind, m.Unit)
		require.Equal(t, kinds[promName], kind, promName)
		require.NotEmpty(t, m.Description, name)
		require.NotEmpty(t, m.Unit, name)
		for _, p := range points {
			var labels []string
			for _, a := range p.attributes.ToSlice() { // in the order of their names
				labels = append(labels, strings.TrimPrefix(string(a.Key), "limitpal.")+`="`+a.Value.AsString()+`"`)
			}
			got[promName+"{"+strings.Join(labels, ",")+"}"] = true
		}
	}
	require.Equal(t, want, got)
}

func TestAttributesAreFewAndNoKeys(t *testing.T) {
	allowed := []attribute.Key{"limitpal.engine", "limitpal.result", "limitpal.outcome", "limitpal.state", "limitpal.to"}
	reader, _ := registered(t, start(t, engine.Config{Name: "a"}))
	for name, m := range collect(t, reader) {
		points, _ := pointsOf(t, m)
		for _, p := range points {
			for _, a := range p.attributes.ToSlice() {
				require.Contains(t, allowed, a.Key, name)
			}
		}
	}
}

func TestWhatCannotBeRegistered(t *testing.T) {
	a, a2, unnamed, unnamed2 := start(t, engine.Config{Name: "a"}), start(t, engine.Config{Name: "a"}), start(t, engine.Config{}), start(t, engine.Config{})
	for _, row := range []struct {
		name     string
		provider metric.MeterProvider
		engines  []*engine.Engine
		want     string
	}{
		{"none", noop.NewMeterProvider(), nil, ""},
		{"one with a name and one without", noop.NewMeterProvider(), []*engine.Engine{a, unnamed}, ""},
		{"no provider", nil, []*engine.Engine{a}, "engineotel: provider is nil"},
		{"nil", noop.NewMeterProvider(), []*engine.Engine{a, nil}, "engineotel: engines[1] is nil"},
		{"two of one name", noop.NewMeterProvider(), []*engine.Engine{a, a2}, `engineotel: engines[1]: there is another engine whose Config.Name = "a"`},
		{"two without a name", noop.NewMeterProvider(), []*engine.Engine{unnamed, unnamed2}, `engineotel: engines[1]: there is another engine whose Config.Name = ""`},
		{"all at once", nil, []*engine.Engine{nil}, "engineotel: provider is nil\nengineotel: engines[0] is nil"},
	} {
		t.Run(row.name, func(t *testing.T) {
			registration, err := engineotel.Register(row.provider, row.engines...)
			if row.want != "" {
				require.EqualError(t, err, row.want)
				require.Nil(t, registration)
				return
			}
			require.NoError(t, err)
			require.NoError(t, registration.Unregister())
		})
	}
}

// broken is a provider that makes no callbacks.
type broken struct{ metric.MeterProvider }

type brokenMeter struct{ metric.Meter }

func (b broken) Meter(name string, o ...metric.MeterOption) metric.Meter {
	return brokenMeter{b.MeterProvider.Meter(name, o...)}
}

func (brokenMeter) RegisterCallback(metric.Callback, ...metric.Observable) (metric.Registration, error) {
	return nil, errDown
}

// poor is a provider that makes no gauges.
type poor struct{ metric.MeterProvider }

type poorMeter struct{ metric.Meter }

func (p poor) Meter(name string, o ...metric.MeterOption) metric.Meter {
	return poorMeter{p.MeterProvider.Meter(name, o...)}
}

func (poorMeter) Float64ObservableGauge(string, ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	return nil, errDown
}

func TestErrorsOfTheProviderPassThrough(t *testing.T) {
	for _, provider := range []metric.MeterProvider{broken{noop.NewMeterProvider()}, poor{noop.NewMeterProvider()}} {
		registration, err := engineotel.Register(provider)
		require.ErrorIs(t, err, errDown)
		require.ErrorContains(t, err, "engineotel: ")
		require.Nil(t, registration)
	}
}

func TestEnginesComeAndGo(t *testing.T) {
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	shown := func() (n int) {
		points := values(t, reader)
		for name := range points {
			if strings.HasPrefix(name, "limitpal.keys ") {
				n++
			}
		}
		return n
	}
	a, err := engineotel.Register(provider, start(t, engine.Config{Name: "a"}))
	require.NoError(t, err)
	b, err := engineotel.Register(provider, start(t, engine.Config{Name: "b"}), start(t, engine.Config{Name: "c"}))
	require.NoError(t, err)
	require.Equal(t, 3, shown())
	require.NoError(t, b.Unregister())
	require.Equal(t, 1, shown())
	require.NoError(t, a.Unregister())
	require.Zero(t, shown())
}

// global is the reader of the global provider, which can be set once in a process.
var global = sync.OnceValue(func() *sdk.ManualReader {
	reader := sdk.NewManualReader()
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	return reader
})

// TestTheGlobalProvider may be given to Register before the program has set it.
func TestTheGlobalProvider(t *testing.T) {
	eng := start(t, engine.Config{Name: "a"})
	registration, err := engineotel.Register(otel.GetMeterProvider(), eng)
	require.NoError(t, err)
	reader := global()
	require.True(t, eng.Allow("k"))
	require.Equal(t, 1.0, values(t, reader)["limitpal.decisions limitpal.engine=a,limitpal.result=admitted"])
	require.NoError(t, registration.Unregister())
	require.Empty(t, values(t, reader))
}
