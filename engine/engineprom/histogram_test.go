package engineprom_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
)

// nativeCounts returns the counts of the native buckets of h by index. Bucket i ends at 2^i s.
func nativeCounts(h *dto.Histogram) map[int]int64 {
	counts := map[int]int64{}
	at, next, n := 0, 0, int64(0)
	for _, span := range h.PositiveSpan {
		at += int(span.GetOffset())
		for range span.GetLength() {
			n += h.PositiveDelta[next]
			if n != 0 {
				counts[at] = n
			}
			at++
			next++
		}
	}
	return counts
}

// requireSoundNative checks that the native buckets of h add up to the count, which a server
// demands.
func requireSoundNative(t *testing.T, h *dto.Histogram) {
	t.Helper()
	sum := h.GetZeroCount()
	for _, n := range nativeCounts(h) {
		require.Positive(t, n)
		sum += uint64(n)
	}
	require.Equal(t, h.GetSampleCount(), sum)
	require.Zero(t, h.GetSchema())
	require.Equal(t, math.Ldexp(1, -21), h.GetZeroThreshold())
}

// durations are random, of all sizes, and include every bound and its neighbors.
func durations() (all []time.Duration) {
	for i := range 31 {
		bound := math.Ldexp(1, i-21) * float64(time.Second)
		for _, d := range []time.Duration{time.Duration(math.Floor(bound)), time.Duration(math.Floor(bound)) + 1} {
			if d < 600*time.Second {
				all = append(all, d)
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		all = append(all, time.Duration(r.Int64N(1<<r.IntN(40))))
	}
	return append(all, 0, 513*time.Second, 1000*time.Second)
}

// TestHistogramsEqualThoseOfPrometheus has attempts last for known times, and compares with the
// histogram that package prometheus makes of these times.
func TestHistogramsEqualThoseOfPrometheus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var classic []float64
		for i := -21; i < 10; i += 2 {
			classic = append(classic, math.Ldexp(1, i))
		}
		reference := prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "x", Help: "x", Buckets: classic, NativeHistogramBucketFactor: 2, NativeHistogramZeroThreshold: math.Ldexp(1, -21),
		})
		eng := start(t, engine.Config{Name: "a", Latency: true})
		for _, d := range durations() {
			reference.Observe(d.Seconds())
			require.NoError(t, eng.Run(t.Context(), "k", func(context.Context) error { time.Sleep(d); return nil }))
		}
		var want dto.Metric
		require.NoError(t, reference.Write(&want))
		reg, _ := registered(t, eng)
		requireEqualHistograms(t, want.Histogram, gather(t, reg)["limitpal_attempt_duration_seconds"].Metric[0].Histogram)
	})
}

func requireEqualHistograms(t *testing.T, want, got *dto.Histogram) {
	t.Helper()
	require.Equal(t, want.GetSampleCount(), got.GetSampleCount())
	require.InDelta(t, want.GetSampleSum(), got.GetSampleSum(), 1e-6)
	require.Len(t, got.Bucket, 16)
	require.Len(t, want.Bucket, 16)
	for i, b := range want.Bucket {
		require.Equal(t, b.GetUpperBound(), got.Bucket[i].GetUpperBound())
		require.Equal(t, b.GetCumulativeCount(), got.Bucket[i].GetCumulativeCount(), "up to %v s", b.GetUpperBound())
	}
	requireSoundNative(t, got)
	require.Equal(t, want.GetZeroCount(), got.GetZeroCount())
	require.Equal(t, nativeCounts(want), nativeCounts(got))
}

// TestHistogramsComeWithLatency: without Config.Latency there is none, and a histogram that has
// begun stays.
func TestHistogramsComeWithLatency(t *testing.T) {
	eng := start(t, engine.Config{Name: "a"})
	reg, _ := registered(t, eng)
	count := func() int {
		all := gather(t, reg)
		return len(all["limitpal_queue_wait_seconds"].GetMetric()) + len(all["limitpal_attempt_duration_seconds"].GetMetric())
	}
	require.Zero(t, count())
	require.NoError(t, eng.Reconfigure(engine.Config{Name: "a", Latency: true}))
	require.Equal(t, 2, count())
	require.NoError(t, eng.Run(t.Context(), "k", succeed))
	require.NoError(t, eng.Reconfigure(engine.Config{Name: "a"}))
	require.Equal(t, 2, count())
}
