package engineprom

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/limitpal/limitpal-go/engine"
)

// The histograms of engines with Config.Latency.
var (
	queueWait = prometheus.NewDesc("limitpal_queue_wait_seconds",
		"Times from the decisions about attempts, with the stays in queues, until the attempts began.", []string{"engine"}, nil)
	attemptDuration = prometheus.NewDesc("limitpal_attempt_duration_seconds",
		"Durations of the functions of attempts.", []string{"engine"}, nil)
)

// Bucket i of an engine.Histogram is the bucket i - schemaOffset of a native histogram of schema 0:
// its upper bound is 2^(i-schemaOffset) s.
const schemaOffset = 21

// histogram is a classic and a native histogram in one metric. Package prometheus has constant
// metrics for the one or the other only.
type histogram struct {
	prometheus.Metric // with the classic buckets

	of *engine.Histogram
}

// newHistogram returns the metric for h, of the engine called name.
func newHistogram(desc *prometheus.Desc, h *engine.Histogram, since time.Time, name string) prometheus.Metric {
	classic := make(map[float64]uint64, len(h.Buckets)/2)
	var sum uint64
	for i, n := range h.Buckets {
		sum += n
		if i%2 == 0 {
			classic[h.Bound(i)] = sum
		}
	}
	return &histogram{
		Metric: prometheus.MustNewConstHistogramWithCreatedTimestamp(desc, h.Count, h.Sum.Seconds(), classic, since, name),
		of:     h,
	}
}

// Write implements prometheus.Metric.
func (h *histogram) Write(out *dto.Metric) error {
	if err := h.Metric.Write(out); err != nil {
		return err
	}
	native := out.Histogram
	// Bucket 0 also holds all shorter durations, and so does the zero bucket up to its threshold.
	native.Schema, native.ZeroThreshold, native.ZeroCount = new(int32(0)), new(h.of.Bound(0)), new(h.of.Buckets[0])
	var span *dto.BucketSpan
	var before uint64
	end := 0 // index after the last bucket of span, counted from the bucket with upper bound 1 s
	for i, n := range h.of.Buckets {
		if i == 0 || n == 0 {
			continue
		}
		if at := i - schemaOffset; span == nil || at != end {
			span = &dto.BucketSpan{Offset: new(int32(at - end)), Length: new(uint32(0))}
			native.PositiveSpan = append(native.PositiveSpan, span)
			end = at
		}
		*span.Length++
		end++
		native.PositiveDelta = append(native.PositiveDelta, int64(n-before))
		before = n
	}
	return nil
}
