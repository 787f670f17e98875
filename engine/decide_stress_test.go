package engine_test

import (
	"flag"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

var contentionFlag = flag.Duration("engine.contention", 150*time.Millisecond, "how long TestContentionNeverAdmitsMoreThanTheBound goes on, for each dispatch")

// TestContentionNeverAdmitsMoreThanTheBound has two thousand goroutines take from one key in real
// time and checks every window of the admissions. (Hazard L1: golang.org/x/time/rate reads the
// clock before its lock, and admits a multiple of its limit under this load.) All of it:
//
//	go test ./engine -run ContentionNever -engine.contention 5s
func TestContentionNeverAdmitsMoreThanTheBound(t *testing.T) {
	b := bucket{capacity: 1000, interval: 10 * time.Microsecond} // 100,000 a second
	var admitted, excess, permille int64
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		eng := start(t, engine.Config{Limiter: b.limiter(), Dispatch: d})
		all, elapsed := contend(eng, 2000, *contentionFlag)
		bound := b.capacity + int64(elapsed/b.interval)
		over := b.excess(all)
		t.Logf("%v: %d admitted in %v, bound %d; the worst window has %v less than its bound", d, len(all), elapsed, bound, time.Duration(-over))
		require.NotEmpty(t, all)
		admitted += int64(len(all))
		excess = max(excess, b.tokens(over))
		permille = max(permille, (int64(len(all))*1000+bound-1)/bound)
	}
	figure(t, "admitted", admitted)
	figure(t, "excess", excess)
	figure(t, "permille-of-bound", permille)
	require.Zero(t, excess)
	require.LessOrEqual(t, permille, int64(1000))
}

// contend has goroutines call Allow of one key until during is over. contend returns the
// admissions, and the time from before the first call to after the last.
func contend(eng *engine.Engine, goroutines int, during time.Duration) (all []admission, elapsed time.Duration) {
	admissions := make([][]admission, goroutines)
	var wg sync.WaitGroup
	begin := time.Now()
	for g := range goroutines {
		wg.Go(func() {
			for {
				began := time.Since(begin)
				if began >= during {
					return
				}
				if eng.Allow("hot") {
					admissions[g] = append(admissions[g], admission{int64(began), int64(time.Since(begin)), 1})
				}
			}
		})
	}
	wg.Wait()
	elapsed = time.Since(begin)
	return slices.Concat(admissions...), elapsed
}

// TestGatesAndActorsShareOneBucket lets callers take from shared gates while other callers make the
// actor own the gate again and again. No token is taken twice, and no token is lost.
func TestGatesAndActorsShareOneBucket(t *testing.T) {
	const capacity = 60_000
	eng := start(t, engine.Config{Limiter: limiter.TokenBucket{Capacity: capacity, RefillRate: limiter.Per(1, time.Hour)}})
	stop := make(chan struct{})
	var disturb, take sync.WaitGroup
	for range 2 {
		disturb.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					eng.Inspect("k")
				}
			}
		})
	}
	var taken atomic.Int64
	for range 8 {
		take.Go(func() {
			for range capacity / 4 {
				if eng.Allow("k") {
					taken.Add(1)
				}
			}
		})
	}
	take.Wait()
	close(stop)
	disturb.Wait()
	require.EqualValues(t, capacity, taken.Load())
}
