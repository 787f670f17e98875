package engine

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// Latency is the durations that an engine with Config.Latency has measured; see [Engine.Latency].
type Latency struct {
	Waiting  Histogram // from the beginning of each decision until the attempt, for attempts that were admitted
	Attempts Histogram // of the functions, and from Admit until Done
}

// Histogram counts durations in buckets whose bounds are powers of two of a second.
type Histogram struct {
	Count uint64        // of all durations
	Sum   time.Duration // of all durations
	// Buckets are not cumulative. Bucket i counts durations above Bound(i-1), up to Bound(i). Bucket 0 also
	// counts all shorter ones, and bucket 31 those longer than 512 s.
	Buckets [32]uint64
}

// Bound returns the upper bound of bucket i in seconds: 2 to the power of i-21, from half a microsecond to 512 s
// for i from 0 to 30.
func (Histogram) Bound(i int) float64 {
	if i < 21 {
		return 1 / float64(uint64(1)<<(21-i)) //nolint:gosec // 1 to 21 for buckets
	}
	return float64(uint64(1) << (i - 21)) //nolint:gosec // 0 to 10 for buckets
}

// Quantile returns the upper bound in seconds of the bucket in which the share q of the durations is reached, which
// is at most twice as long as the true quantile; 1,024 if that is longer than 512 s, and 0 if there are none.
func (h Histogram) Quantile(q float64) float64 {
	rank, sum := q*float64(h.Count), uint64(0)
	for i, n := range h.Buckets {
		if sum += n; n > 0 && float64(sum) >= rank {
			return h.Bound(i)
		}
	}
	return 0
}

// Latency returns the durations measured since Config.Latency was first set, or the zero Latency.
func (e *Engine) Latency() (l Latency) {
	if m := e.latency.Load(); m != nil {
		l.Waiting, l.Attempts = m.waiting.sum(), m.attempts.sum()
	}
	return l
}

// measured is the durations of an engine.
type measured struct{ waiting, attempts spread }

// spread is a histogram whose counts are spread over stripes, as those of guard.Counters.
type spread [1 << guard.SpreadBits]struct {
	total   atomic.Int64
	buckets [len(Histogram{}.Buckets)]atomic.Uint64
}

// add counts ns.
func (s *spread) add(ns int64) {
	stripe := &s[guard.Spread()]
	stripe.total.Add(ns)
	stripe.buckets[bucketOf(ns)].Add(1)
}

// bucketOf returns the bucket of a duration: the number of bits of the last whole number of 2^-21 s below it.
func bucketOf(ns int64) int {
	if ns <= 0 {
		return 0
	}
	units := (uint64(min(ns, 1<<42))<<21 - 1) / 1e9 // 2^42 ns are more than 512 s
	return min(bits.Len64(units), len(Histogram{}.Buckets)-1)
}

// sum adds up the stripes.
func (s *spread) sum() (h Histogram) {
	for i := range s {
		h.Sum += time.Duration(s[i].total.Load())
		for b := range h.Buckets {
			n := s[i].buckets[b].Load()
			h.Buckets[b] += n
			h.Count += n
		}
	}
	return h
}
