package engineprom_test

import (
	"context"
	"errors"
	"flag"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/engineprom"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/scrape.txt anew instead of comparing it")

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

// registered returns a pedantic registry with a Collector over engines.
func registered(t testing.TB, engines ...*engine.Engine) (*prometheus.Registry, *engineprom.Collector) {
	t.Helper()
	c, err := engineprom.New(engines...)
	require.NoError(t, err)
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(c))
	return reg, c
}

// gather returns the families that reg gathers, by name.
func gather(t testing.TB, reg prometheus.Gatherer) map[string]*dto.MetricFamily {
	t.Helper()
	all, err := reg.Gather()
	require.NoError(t, err)
	families := make(map[string]*dto.MetricFamily, len(all))
	for _, f := range all {
		families[f.GetName()] = f
	}
	return families
}

// labelsOf returns the labels of m.
func labelsOf(m *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, l := range m.Label {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}
