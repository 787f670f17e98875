package engine_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

func TestMaxKeys(t *testing.T) {
	cfg := engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Minute)}, Breaker: opensAfter(1), MaxKeys: 2, MaxWait: engine.NoWait,
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("a"))
		time.Sleep(time.Minute) // a is as new again
		require.True(t, eng.AllowN("b", 2))
		require.True(t, eng.Allow("c"), "a makes room")
		require.Equal(t, []uint64{1, 0, 0}, counters(eng))
		synctest.Wait() // an actor that has just answered leaves a moment later, and until then its key is not among those compared
		require.True(t, eng.AllowN("d", 2), "neither b nor c equals a new key; c is closer to it, and is spilled")
		require.Equal(t, []uint64{1, 1, 0}, counters(eng))
		synctest.Wait()
		require.False(t, eng.Allow("b"), "b has not been given anything")
		synctest.Wait()
		require.True(t, eng.Allow("c"), "nor has c, which had one token left")
		require.False(t, eng.Allow("c"))
		require.Equal(t, []uint64{1, 2, 1}, counters(eng))
		require.Equal(t, 2, eng.Stats().Keys)
	})
}

// counters returns the numbers of keys that were evicted, that were spilled, and that were born
// with a debt from the sketch.
func counters(eng *engine.Engine) []uint64 {
	s := eng.Stats()
	return []uint64{s.Evicted, s.Spilled, s.SketchHits}
}

// A key without a limiter that is in use is not idle. (Nothing used to tell.)
func TestAKeyWithABreakerAloneIsNotForgottenInUse(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(5), IdleAfter: time.Minute}, func(t *testing.T, eng *engine.Engine) {
		for range 1000 {
			require.NoError(t, eng.Run(t.Context(), "k", succeed))
			time.Sleep(time.Second)
		}
		require.Zero(t, eng.Stats().Evicted)
		time.Sleep(time.Hour)
		require.Zero(t, eng.Stats().Keys)
	})
}

// A new key is refused only if waiters or probes hold every key. (With half of MaxKeys held, 5.5 %
// of the new keys used to be refused; with nine tenths held, 35 %.)
func TestANewKeyIsRefusedOnlyIfEveryKeyIsHeld(t *testing.T) {
	t.Parallel()
	const most = 2000 / (1 + slowdown/5)
	for _, free := range []int{most / 2, most / 10, 20, 1, 0} {
		for _, probes := range []bool{false, true} {
			cfg := engine.Config{
				Limiter: oneEvery(24 * time.Hour), Breaker: &breaker.Policy{FailureThreshold: 1, ProbeTimeout: 24 * time.Hour, ForgetAfter: 48 * time.Hour},
				MaxKeys: most, IdleAfter: 24 * time.Hour,
			}
			if probes {
				cfg.Limiter = nil
			}
			t.Run(fmt.Sprintf("free=%d/probes=%v", free, probes), func(t *testing.T) {
				eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if probes {
						holdByProbes(ctx, t, eng, most-free)
					} else {
						holdByWaiters(ctx, t, eng, most-free)
					}
					for i := range 500 {
						err := eng.Run(t.Context(), fmt.Sprint("new ", i), fail)
						if free == 0 {
							rejected(t, err, engine.ErrKeyLimit)
						} else {
							require.ErrorIs(t, err, errDown, "call %d", i)
						}
					}
					for i := range most - free {
						_, known := eng.Inspect(fmt.Sprint("held ", i))
						require.True(t, known, "a key that is held stays")
					}
				})
			})
		}
	}
}

// holdByProbes opens the breakers of n keys, and leaves a probe of each key under way.
func holdByProbes(ctx context.Context, t *testing.T, eng *engine.Engine, n int) {
	for i := range n {
		failTimes(t, eng, fmt.Sprint("held ", i), 1)
	}
	time.Sleep(5 * time.Second)
	for i := range n {
		_, err := eng.Admit(ctx, fmt.Sprint("held ", i))
		require.NoError(t, err)
	}
	synctest.Wait()
}

// holdByWaiters leaves a caller in the queues of n keys, until ctx ends.
func holdByWaiters(ctx context.Context, t *testing.T, eng *engine.Engine, n int) {
	for i := range n {
		key := fmt.Sprint("held ", i)
		require.NoError(t, eng.Acquire(ctx, key))
		go func() { _ = eng.Acquire(ctx, key) }()
	}
	synctest.Wait()
}

// Many callers come for the last places at once. As long as there are as many free places as
// callers, no caller is refused.
func TestManyComeForTheLastPlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most, together = 500, 8
		eng := start(t, engine.Config{Limiter: oneEvery(time.Hour), Breaker: opensAfter(3), MaxKeys: most})
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		defer cancel()
		holdByWaiters(ctx, t, eng, most-together)
		var refused atomic.Int64
		for w := range together {
			callers.Go(func() {
				for i := range 200 {
					if eng.Run(ctx, fmt.Sprint("new ", w, " ", i), fail) != errDown {
						refused.Add(1)
					}
				}
			})
		}
		callers.Wait()
		require.Zero(t, refused.Load())
	})
}
