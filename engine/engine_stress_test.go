package engine_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
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

// TestChaos throws everything at few keys at once, in real time: failures, panics, Goexit, cancellations, waits, evictions,
// resets. Every call has exactly one outcome, and functions run only when they were admitted.
func TestChaos(t *testing.T) {
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		t.Run(d.String(), func(t *testing.T) {
			seed := random(t).Uint64()
			eng, err := engine.New(engine.Config{
				Breaker:   &breaker.Policy{FailureThreshold: 20, RecoveryTimeout: time.Millisecond, ProbeTimeout: 5 * time.Millisecond, ForgetAfter: 2 * time.Millisecond},
				Limiter:   limiter.TokenBucket{Capacity: 50, RefillRate: limiter.PerSecond(1e6)},
				Retry:     &retry.Policy{BaseDelay: 10 * time.Microsecond},
				MaxKeys:   6,
				IdleAfter: time.Millisecond,
				Dispatch:  d,
			})
			require.NoError(t, err)
			var begun, ended, ran, ok atomic.Int64
			var wg sync.WaitGroup
			for g := range 32 {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(seed, uint64(g)))
					for range 400 {
						begun.Add(1)
						runOne(eng, rng, &ran, &ok, &ended)
					}
				})
			}
			wg.Wait()
			require.Equal(t, begun.Load(), ended.Load(), "one outcome each")
			require.Equal(t, int64(32*400), begun.Load())
			require.Greater(t, ok.Load(), int64(1000))
			require.GreaterOrEqual(t, ran.Load(), ok.Load())
			stats := eng.Stats()
			require.LessOrEqual(t, stats.Keys, 6)
			require.Zero(t, stats.Restarts)
			require.NoError(t, eng.Close(context.Background()))
			require.Zero(t, eng.Stats().Actors)
			t.Logf("%d calls ran, %d succeeded, %d keys were forgotten", ran.Load(), ok.Load(), stats.Evicted)
		})
	}
}

// runOne makes one random call, on a goroutine of its own because it may end it.
func runOne(eng *engine.Engine, rng *rand.Rand, ran, ok, ended *atomic.Int64) {
	key := fmt.Sprint("tenant-", rng.IntN(8))
	what := rng.IntN(100)
	pause := time.Duration(rng.IntN(200)) * time.Microsecond
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer ended.Add(1)
		defer func() { _ = recover() }()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if what < 20 {
			time.AfterFunc(pause, cancel)
		}
		if what == 99 {
			eng.Reset(key)
		}
		err := eng.Run(ctx, key, func(ctx context.Context) error {
			ran.Add(1)
			switch {
			case what < 10:
				<-ctx.Done()
				return ctx.Err()
			case what < 25:
				return errDown
			case what < 33:
				panic("chaos")
			case what < 36:
				runtime.Goexit()
			}
			return nil
		})
		if err == nil {
			ok.Add(1)
		}
	}()
	<-done
}
