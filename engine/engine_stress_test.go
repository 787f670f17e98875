package engine_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
)

var seedFlag = flag.Uint64("engine.seed", 0, "seed of the random tests; 0 takes a new one")

// random returns a source whose seed is printed when the test fails, with the line that replays it.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replay: go test ./engine -run '^%s$' -engine.seed=%d", t.Name(), seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// figure reports what a check has done or found, for the table of figures; n is a count.
func figure(t *testing.T, name string, n int64) {
	t.Helper()
	t.Attr(name, strconv.FormatInt(n, 10))
}

// TestFairness: a hundred callers that came one after the other are served in that order, whoever else asks meanwhile (T19).
func TestFairness(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Millisecond), Breaker: opensAfter(5)}, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		served := make(chan int, 100)
		for i := range 100 {
			go func() { _ = eng.Run(t.Context(), "k", func(context.Context) error { served <- i; return nil }) }()
			synctest.Wait()
			require.False(t, eng.Allow("k"))
		}
		for i := range 100 {
			require.Equal(t, i, <-served)
		}
	})
}

// TestNobodyOvertakes: callers that need many tokens are not passed by those that need few, nor by those that come while there are
// enough for them (hazard L16).
func TestNobodyOvertakes(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: bucket{5, time.Millisecond}.limiter()}, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.AllowN("k", 5))
		const callers = 100
		served := make(chan int, callers)
		for i := range callers {
			go func() {
				if eng.AcquireN(t.Context(), "k", 5-i%5) == nil {
					served <- i
				}
			}()
			synctest.Wait()
		}
		for inspect(t, eng, "k").Waiting > 0 {
			require.False(t, eng.Allow("k"))
			time.Sleep(300 * time.Microsecond) // of the bubble
			synctest.Wait()
		}
		for i := range callers {
			require.Equal(t, i, <-served)
		}
	})
}

// TestEqualShares: sixteen callers that come back as soon as they have been served get the same (T19).
func TestEqualShares(t *testing.T) {
	const callers, rounds = 16, 200
	var permille int
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Millisecond)}, func(t *testing.T, eng *engine.Engine) {
		ctx, cancel := context.WithTimeout(t.Context(), callers*rounds*time.Millisecond)
		defer cancel()
		var served [callers]int
		var wg sync.WaitGroup
		for i := range served {
			wg.Go(func() {
				for eng.Acquire(ctx, "k") == nil {
					served[i]++
				}
			})
		}
		wg.Wait()
		permille = max(permille, 1000*slices.Max(served[:])/max(1, slices.Min(served[:])))
		require.LessOrEqual(t, permille, 1100, "%v", served)
	})
	figure(t, "most-to-least-permille", int64(permille))
}
