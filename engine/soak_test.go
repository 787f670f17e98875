package engine_test

import (
	"context"
	"flag"
	"math"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/retry"
)

var soakFlag = flag.Duration("engine.soak", 400*time.Millisecond, "how long TestSoak goes on; it judges trends from eight minutes on")

// TestSoak makes mixed calls at full speed, of many keys that come and go, and samples the memory
// that the engine holds. After the warm-up the live heap must not grow by more than 1 % a minute,
// nor the 99th percentile of the calls' latency by more than half from the first third to the last.
// At the end every goroutine is gone. Half an hour, with a line for each of a hundred samples:
//
//	go test ./engine -run TestSoak -engine.soak 30m -timeout 40m -v
func TestSoak(t *testing.T) {
	before := runtime.NumGoroutine()
	s := &soak{seed: random(t).Uint64()}
	var err error
	s.eng, err = engine.New(engine.Config{
		Limiter: bucket{20, time.Second}.limiter(), MaxWait: 500 * time.Microsecond,
		Breaker: &breaker.Policy{FailureThreshold: 5, RecoveryTimeout: 500 * time.Millisecond, ProbeTimeout: time.Second, ForgetAfter: 2 * time.Second},
		Retry:   &retry.Policy{MaxAttempts: 2, BaseDelay: 200 * time.Microsecond},
		MaxKeys: 20_000, IdleAfter: 2 * time.Second,
	})
	require.NoError(t, err)
	s.begun = time.Now()
	var load sync.WaitGroup
	for g := range 64 {
		load.Go(func() { s.load(rand.New(rand.NewPCG(s.seed, uint64(g)))) })
	}
	samples := s.sample(t, *soakFlag)
	for s.calls.Load() <= 1000 { // on a machine that is busy elsewhere
		runtime.Gosched()
	}
	s.over.Store(true)
	load.Wait()
	require.NoError(t, s.eng.Close(context.Background()))
	left := goroutinesAbove(before)
	t.Attr("minutes", strconv.FormatFloat(time.Since(s.begun).Minutes(), 'f', 2, 64))
	figure(t, "calls", s.calls.Load())
	figure(t, "goroutines-left", int64(left))
	require.Zero(t, left)
	if *soakFlag < 8*time.Minute {
		return // the trend would be that of the other load of the machine
	}
	warm := samples[len(samples)/6:]
	heap := slope(warm)
	first, last := median(warm[:len(warm)/3]), median(warm[len(warm)-len(warm)/3:])
	t.Attr("permille-of-heap-per-minute", strconv.FormatFloat(heap, 'f', 1, 64))
	figure(t, "us-p99-at-first", first.Microseconds())
	figure(t, "us-p99-at-last", last.Microseconds())
	require.LessOrEqual(t, heap, 10.0, "the heap grows")
	require.LessOrEqual(t, last, first*3/2, "calls become slower")
}

// soak is an engine under load.
type soak struct {
	eng   *engine.Engine
	seed  uint64
	begun time.Time
	over  atomic.Bool
	calls atomic.Int64
	rest  sync.RWMutex         // held for reading by calls, and for writing while a sample is taken
	took  [64 * 8]atomic.Int64 // latencies of calls: the power of two, and the three bits after it
}

// load makes calls until the soak is over.
func (s *soak) load(rng *rand.Rand) {
	for !s.over.Load() {
		s.rest.RLock()
		s.one(rng)
		s.rest.RUnlock()
	}
}

// one makes a call.
func (s *soak) one(rng *rand.Rand) {
	begin := time.Now()
	at := int(100_000 * math.Pow(rng.Float64(), 3)) // some keys are asked for far more often than others
	key := "tenant-" + strconv.Itoa(at)
	if rng.IntN(50) == 0 {
		key = "visitor-" + strconv.FormatUint(rng.Uint64(), 36) // comes once
	}
	// Every key is down for a second, once in twenty.
	down := (at+int(time.Since(s.begun)/time.Second))%20 == 0
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if rng.IntN(4) == 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.IntN(3000))*time.Microsecond)
	}
	switch rng.IntN(8) {
	case 0:
		s.eng.Allow(key)
	case 1:
		_ = s.eng.Acquire(ctx, key)
	case 2:
		<-engine.Go(ctx, s.eng, key, func(context.Context) (int, error) { return 1, nil })
	default:
		_ = s.eng.Run(ctx, key, func(ctx context.Context) error {
			if down {
				return errDown
			}
			runtime.Gosched()
			return ctx.Err()
		})
	}
	cancel()
	s.calls.Add(1)
	s.note(time.Since(begin))
}

// note counts a latency.
func (s *soak) note(took time.Duration) {
	ns := uint64(max(8, took)) //nolint:gosec // positive
	power := bits.Len64(ns) - 1
	s.took[power*8+int(ns>>(power-3)&7)].Add(1)
}

// p99 returns the 99th percentile of the latencies since the last call of p99, rounded up by at
// most an eighth.
func (s *soak) p99() time.Duration {
	var counts [len(s.took)]int64
	var sum, below int64
	for i := range s.took {
		counts[i] = s.took[i].Swap(0)
		sum += counts[i]
	}
	for i, n := range counts {
		if below += n; n > 0 && below*100 >= sum*99 {
			return time.Duration(8+i%8+1) << (i / 8) / 8
		}
	}
	return 0
}

// soakSample is the memory of the engine at a moment, and the latency until then.
type soakSample struct {
	minutes float64
	heap    uint64 // live bytes
	p99     time.Duration
}

// sample takes samples until the time is up: a hundred, or five in a short soak.
func (s *soak) sample(t *testing.T, during time.Duration) (all []soakSample) {
	every := max(during/100, min(during/5, time.Second))
	tick := time.NewTicker(every)
	defer tick.Stop()
	for range during / every {
		<-tick.C
		s.rest.Lock() // so that the memory of calls under way does not count
		runtime.GC()  // twice, because the content of a pool lives through one collection
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		one := soakSample{time.Since(s.begun).Minutes(), m.HeapAlloc, s.p99()}
		all = append(all, one)
		stats := s.eng.Stats()
		s.rest.Unlock()
		t.Logf("%6.2f min: %6.2f MB live, %4d goroutines, p99 %8v, %d calls, %d keys, %d actors, %d spilled, %d evicted", one.minutes,
			mega(one.heap), runtime.NumGoroutine(), one.p99, s.calls.Load(), stats.Keys, stats.Actors, stats.Spilled, stats.Evicted)
	}
	return all
}

// slope is the growth of the heap by least squares, in thousandths of its mean per minute.
func slope(samples []soakSample) float64 {
	var x, y float64
	for _, s := range samples {
		x += s.minutes / float64(len(samples))
		y += float64(s.heap) / float64(len(samples))
	}
	var xy, xx float64
	for _, s := range samples {
		xy += (s.minutes - x) * (float64(s.heap) - y)
		xx += (s.minutes - x) * (s.minutes - x)
	}
	return 1000 * xy / xx / y
}

// median returns the median of the latencies.
func median(samples []soakSample) time.Duration {
	var all []time.Duration
	for _, s := range samples {
		all = append(all, s.p99)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// TestTrends has the judges of the soak see a heap that grows by 2 % a minute, a heap that does not
// grow, and the latency of one call in a hundred.
func TestTrends(t *testing.T) {
	rng := random(t)
	grows := func(permille float64) (all []soakSample) {
		for i := range 100 {
			minutes := float64(i) / 10
			noise := 1 + 0.05*(2*rng.Float64()-1)
			all = append(all, soakSample{minutes: minutes, heap: uint64(8e6 * (1 + permille/1000*(minutes-4.95)) * noise), p99: time.Duration(i)})
		}
		return all
	}
	require.InDelta(t, 20, slope(grows(20)), 5)
	require.InDelta(t, 0, slope(grows(0)), 5)
	require.Equal(t, 50*time.Nanosecond, median(grows(0)))

	var s soak
	for i := range 1000 {
		took := time.Millisecond
		if i < 11 {
			took = time.Second
		}
		s.note(took)
	}
	require.InEpsilon(t, time.Second, s.p99(), 0.13)
	for range 1000 {
		s.note(time.Millisecond)
	}
	require.InEpsilon(t, time.Millisecond, s.p99(), 0.13, "of those since it was last asked")
}
