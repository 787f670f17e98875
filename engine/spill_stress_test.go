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
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestSpillsInMidFlightGrantNothing has many goroutines take from many keys, by name and by handle,
// of which only a few keys have room. No token is taken twice, despite all spills; with gates,
// without gates, and with several limits.
func TestSpillsInMidFlightGrantNothing(t *testing.T) {
	const capacity, keys, goroutines = 30, 40, 8
	bucket := limiter.TokenBucket{Capacity: capacity, RefillRate: limiter.Per(1, 1000*time.Hour)}
	for name, cfg := range map[string]engine.Config{
		"published":                       {Limiter: bucket},
		"mailbox":                         {Limiter: bucket, Dispatch: engine.Mailbox},
		"published, several limits":       {Limiter: limiter.All(bucket, limiter.TokenBucket{Capacity: 1000, RefillRate: limiter.PerSecond(1e6)})},
		"published, with a busy breaker":  {Limiter: bucket, Breaker: &breaker.Policy{FailureThreshold: 2, RecoveryTimeout: time.Microsecond, ForgetAfter: time.Microsecond}},
		"published, actors that leave":    {Limiter: bucket, Breaker: opensAfter(1 << 30), IdleAfter: time.Millisecond},
		"mailbox, actors that soon leave": {Limiter: bucket, IdleAfter: time.Millisecond, Dispatch: engine.Mailbox},
	} {
		t.Run(name, func(t *testing.T) {
			seed := random(t).Uint64()
			cfg.MaxKeys, cfg.MaxWait = 6, engine.NoWait
			eng := start(t, cfg)
			var taken [keys]atomic.Int64
			handles := make([]engine.Key, keys)
			for i := range handles {
				handles[i] = eng.Key(fmt.Sprint("k", i))
			}
			var wg sync.WaitGroup
			for g := range goroutines {
				wg.Go(func() { takeFromAny(eng, handles, taken[:], rand.New(rand.NewPCG(seed, uint64(g)))) })
			}
			wg.Wait()
			for i := range taken {
				require.LessOrEqual(t, taken[i].Load(), int64(capacity), "k%d; %+v", i, eng.Stats())
			}
			require.LessOrEqual(t, eng.Stats().Keys, 6)
			require.Greater(t, eng.Stats().Spilled, uint64(100))
			require.Zero(t, eng.Stats().Restarts)
		})
	}
}

// takeFromAny takes tokens from the keys k0, k1 and so on: by name, by handle, and for calls. All
// goroutines share the handles. taken counts the tokens of each key.
func takeFromAny(eng *engine.Engine, handles []engine.Key, taken []atomic.Int64, rng *rand.Rand) {
	for range 6000 / (1 + slowdown) {
		i := rng.IntN(len(taken))
		switch rng.IntN(4) {
		case 0:
			if eng.Allow(fmt.Sprint("k", i)) {
				taken[i].Add(1)
			}
		case 1:
			if handles[i].Allow() {
				taken[i].Add(1)
			}
		default:
			_ = handles[i].Run(context.Background(), func(context.Context) error {
				taken[i].Add(1)
				return []error{nil, errDown}[rng.IntN(2)]
			})
		}
	}
}

var keysFlag = flag.Int("engine.keys", 200*churn, "how many distinct keys TestMemoryIsBoundedWhateverTheKeys makes; 10,000,000 takes a minute")

// TestMemoryIsBoundedWhateverTheKeys makes distinct keys, none of which is clean when it has to go.
func TestMemoryIsBoundedWhateverTheKeys(t *testing.T) {
	eng := start(t, engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Hour)}, Breaker: opensAfter(5), MaxKeys: 10_000,
	})
	var before, m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var peak uint64
	name := make([]byte, 0, 32)
	for i := range *keysFlag {
		name = fmt.Appendf(name[:0], "key-%d", i)
		eng.Allow(string(name))
		if i%20_000 == 0 {
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse+m.StackInuse)
		}
	}
	runtime.ReadMemStats(&m)
	s := eng.Stats()
	t.Logf("%d keys: peak in use %.1f MB above the beginning; obtained from the system %.1f MB, before %.1f MB; %+v",
		*keysFlag, mega(peak-before.HeapInuse-before.StackInuse), mega(m.Sys), mega(before.Sys), s)
	require.Equal(t, 10_000, s.Keys)
	require.EqualValues(t, *keysFlag-10_000, s.Spilled)
	require.Less(t, mega(peak-before.HeapInuse-before.StackInuse), 32.0)
}

func mega(n uint64) float64 { return float64(n) / (1 << 20) }
