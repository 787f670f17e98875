package engineotel_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/engineotel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("down")

func succeed(context.Context) error { return nil }

func fail(context.Context) error { return errDown }

// start returns an engine that ends with the test.
func start(t testing.TB, cfg engine.Config) *engine.Engine {
	t.Helper()
	eng, err := engine.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close(context.Background())) })
	return eng
}

// registered returns a reader to which engines are shown.
func registered(t testing.TB, engines ...*engine.Engine) (*sdk.ManualReader, metric.Registration) {
	t.Helper()
	reader := sdk.NewManualReader()
	registration, err := engineotel.Register(sdk.NewMeterProvider(sdk.WithReader(reader)), engines...)
	require.NoError(t, err)
	return reader, registration
}

// collect returns the metrics that reader collects, by name.
func collect(t testing.TB, reader sdk.Reader) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &all))
	metrics := map[string]metricdata.Metrics{}
	for _, scope := range all.ScopeMetrics {
		require.Equal(t, engineotel.ScopeName, scope.Scope.Name)
		for _, m := range scope.Metrics {
			metrics[m.Name] = m
		}
	}
	return metrics
}

// point is a data point.
type point struct {
	attributes attribute.Set
	value      float64
}

// pointsOf returns the points of m, and how m looks to Prometheus: "counter" or "gauge".
func pointsOf(t testing.TB, m metricdata.Metrics) (points []point, kind string) {
	t.Helper()
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			points = append(points, point{p.Attributes, float64(p.Value)})
		}
		if data.IsMonotonic {
			return points, "counter"
		}
		return points, "gauge"
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			points = append(points, point{p.Attributes, p.Value})
		}
		return points, "gauge"
	default:
		t.Fatalf("%s has data of type %T", m.Name, data)
		return nil, ""
	}
}

// values returns the values of all points, under keys such as "limitpal.decisions
// limitpal.engine=a,limitpal.result=open".
func values(t testing.TB, reader sdk.Reader) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for name, m := range collect(t, reader) {
		points, _ := pointsOf(t, m)
		for _, p := range points {
			all[fmt.Sprintf("%s %s", name, p.attributes.Encoded(attribute.DefaultEncoder()))] = p.value
		}
	}
	return all
}
