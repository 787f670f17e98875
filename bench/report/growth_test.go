package report_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/bench/report"
)

func TestFitLineRecoversALine(t *testing.T) {
	l, ok := report.FitLine([]float64{0, 3, 5, 6}, []float64{150, 180, 200, 210})
	require.True(t, ok)
	require.InDelta(t, 150, l.Intercept, 1e-9)
	require.InDelta(t, 10, l.Slope, 1e-9)
	require.InDelta(t, 1, l.R2, 1e-12)

	l, ok = report.FitLine([]float64{0, 1, 2}, []float64{1, 3, 1})
	require.True(t, ok)
	require.InDelta(t, 0, l.Slope, 1e-12)
	require.InDelta(t, 0, l.R2, 1e-12)
}

func TestFitLineNeedsThreePointsThatDiffer(t *testing.T) {
	_, ok := report.FitLine([]float64{0, 1}, []float64{1, 2})
	require.False(t, ok)
	_, ok = report.FitLine([]float64{1, 1, 1}, []float64{1, 2, 3})
	require.False(t, ok)
}

// points are what a law says about some numbers of cores.
func points(u report.USL, cores ...float64) []report.Point {
	var all []report.Point
	for _, n := range cores {
		all = append(all, report.Point{Cores: n, Throughput: u.At(n)})
	}
	return all
}

func TestFitUSLRecoversTheLaw(t *testing.T) {
	for _, want := range []report.USL{{Lambda: 5e6, Sigma: 0.05, Kappa: 0.001}, {Lambda: 1, Sigma: 0.2}, {Lambda: 1, Kappa: 0.02}, {Lambda: 3}} {
		p, err := report.FitUSL(points(want, 8, 1, 4, 2, 16))
		require.NoError(t, err)
		require.True(t, p.Fitted())
		require.Equal(t, p.Low, p.High)
		require.InDelta(t, want.Lambda, p.Low.Lambda, 1e-6*want.Lambda)
		require.InDelta(t, want.Sigma, p.Low.Sigma, 1e-9)
		require.InDelta(t, want.Kappa, p.Low.Kappa, 1e-9)
		require.InEpsilon(t, want.At(64), p.Low.At(64), 1e-6)
	}
}

func TestFitUSLStaysAboveZero(t *testing.T) {
	// Faster than in proportion, and curved: least squares alone would make one of the parameters negative.
	p, err := report.FitUSL([]report.Point{{Cores: 1, Throughput: 1}, {Cores: 2, Throughput: 2.4}, {Cores: 4, Throughput: 3}, {Cores: 8, Throughput: 2}})
	require.NoError(t, err)
	require.GreaterOrEqual(t, p.Low.Sigma, 0.0)
	require.GreaterOrEqual(t, p.Low.Kappa, 0.0)
}

func TestTwoPointsGiveARange(t *testing.T) {
	const cores2 = 1.6 // of the throughput of one
	p, err := report.FitUSL([]report.Point{{Cores: 1, Throughput: 1}, {Cores: 2, Throughput: cores2}})
	require.NoError(t, err)
	require.False(t, p.Fitted())
	require.InDelta(t, cores2, p.Low.At(2), 1e-12)
	require.InDelta(t, cores2, p.High.At(2), 1e-12)
	require.InDelta(t, 0.25, p.High.Sigma, 1e-12) // 2/1.6 − 1
	require.Zero(t, p.High.Kappa)
	require.InDelta(t, 0.125, p.Low.Kappa, 1e-12)
	require.Zero(t, p.Low.Sigma)
	require.Less(t, p.Low.At(64), p.High.At(64))
	require.True(t, math.IsInf(p.High.Peak(), 1))
	require.InDelta(t, math.Sqrt(8), p.Low.Peak(), 1e-12)
}

func TestTwoPointsOutsideOfTheLaw(t *testing.T) {
	faster, err := report.FitUSL([]report.Point{{Cores: 1, Throughput: 1}, {Cores: 2, Throughput: 2.2}})
	require.NoError(t, err)
	require.Equal(t, report.USL{Lambda: 1}, faster.Low)
	require.Equal(t, report.USL{Lambda: 1}, faster.High)

	slower, err := report.FitUSL([]report.Point{{Cores: 1, Throughput: 1}, {Cores: 2, Throughput: 0.5}})
	require.NoError(t, err)
	require.InDelta(t, 1, slower.High.Sigma, 1e-12) // contention alone cannot make two cores slower than one
	require.InDelta(t, 1, slower.High.Kappa, 1e-12)
	require.InDelta(t, 0.5, slower.High.At(2), 1e-12)
}

func TestFitUSLNeedsOneCoreAndAnother(t *testing.T) {
	for _, p := range [][]report.Point{
		nil,
		{{Cores: 1, Throughput: 1}},
		{{Cores: 2, Throughput: 1}, {Cores: 4, Throughput: 2}},
		{{Cores: 1, Throughput: 1}, {Cores: 1, Throughput: 2}},
		{{Cores: 1, Throughput: 1}, {Cores: 2, Throughput: 0}},
		{{Cores: 1, Throughput: 1}, {Cores: 2, Throughput: math.NaN()}},
	} {
		_, err := report.FitUSL(p)
		require.Error(t, err)
	}
}
