package engine_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// BenchmarkReconfigure changes the limit of a million keys that sleep, and makes the first call of some of them: it
// starts the key's actor for one turn. For comparison the benchmark resets other keys, which starts an actor for one
// turn too. So a wait that is due to the machine shows in both.
func BenchmarkReconfigure(b *testing.B) {
	const keys, each = 1_000_000, 50
	eng := start(b, engine.Config{MaxKeys: 1 << 20, Limiter: bucketOf(10, limiter.PerSecond(1)), IdleAfter: time.Hour})
	names := make([]string, keys)
	for i := range names {
		names[i] = strconv.Itoa(i)
		eng.Allow(names[i])
	}
	cfg := eng.Config()
	var changes, calls, resets []time.Duration
	for n := 0; b.Loop(); n++ {
		cfg.Limiter = bucketOf(10+n%2, limiter.PerSecond(float64(1+n%7)))
		begun := time.Now()
		if err := eng.Reconfigure(cfg); err != nil {
			b.Fatal(err)
		}
		changes = append(changes, time.Since(begun))
		b.StopTimer()
		for i := range each {
			begun := time.Now()
			eng.Allow(names[(2*(n*each+i))*7919%keys])
			called := time.Now()
			eng.Reset(names[(2*(n*each+i)+1)*7919%keys])
			calls, resets = append(calls, called.Sub(begun)), append(resets, time.Since(called))
		}
		b.StartTimer()
	}
	for name, all := range map[string][]time.Duration{"change": changes, "first-call": calls, "reset": resets} {
		slices.Sort(all)
		at := func(permille int) float64 { return float64(all[(len(all)-1)*permille/1000].Nanoseconds()) }
		b.ReportMetric(at(500), name+"-p50-ns")
		b.ReportMetric(at(990), name+"-p99-ns")
		b.ReportMetric(at(1000), name+"-longest-ns")
		late, _ := slices.BinarySearch(all, 50*time.Microsecond)
		b.ReportMetric(float64(len(all)-late)*1000/float64(len(all)), name+"-permille-above-50us")
	}
}
