package engine_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

var zipfFlag = flag.Int("engine.zipf", 2_000_000/(5*slowdown-4), "how many calls TestMostRefusedOfAMillionKeys makes")

// A few refusals are counted exactly, whatever refuses.
func TestMostRefusedCountsFewRefusalsExactly(t *testing.T) {
	cfg := engine.Config{Limiter: oneEvery(time.Hour), Breaker: opensAfter(1), MaxWait: engine.NoWait}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.Empty(t, eng.MostRefused(10))
		require.True(t, eng.Allow("admitted"))
		for i, key := range []string{"b", "a", "c"} {
			require.True(t, eng.Allow(key))
			for range 5 * (i + 1) {
				require.False(t, eng.Allow(key))
			}
		}
		rejected(t, eng.Run(t.Context(), "a", succeed), limiter.ErrLimited)
		rejected(t, eng.Acquire(t.Context(), "a"), limiter.ErrLimited)
		rejected(t, eng.AcquireN(t.Context(), "a", 9), limiter.ErrExceedsCapacity)
		failTimes(t, eng, "d", 1)
		for range 3 {
			rejected(t, eng.Run(t.Context(), "d", succeed), breaker.ErrOpen)
		}
		want := []engine.KeyCount{{"c", 15}, {"a", 13}, {"b", 5}, {"d", 3}}
		require.Equal(t, want, eng.MostRefused(10))
		require.Equal(t, want[:2], eng.MostRefused(2))
		require.Empty(t, eng.MostRefused(0))
		require.Empty(t, eng.MostRefused(-1))
	})
}

// In a chain a refusal counts where it fell, in an engine with Shadow also without one.
func TestMostRefusedOfAChain(t *testing.T) {
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		users := start(t, engine.Config{Dispatch: d, Limiter: oneEvery(time.Hour), MaxWait: engine.NoWait})
		trial := start(t, engine.Config{Dispatch: d, Limiter: oneEvery(time.Hour), MaxWait: engine.NoWait, Shadow: true})
		api := start(t, engine.Config{Dispatch: d, Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Hour)}, MaxWait: engine.NoWait})
		for _, user := range []string{"1", "2", "3", "1"} {
			_ = engine.Chain(users.Key(user), trial.Key("t"), api.Key("a")).Run(t.Context(), succeed)
		}
		require.Equal(t, []engine.KeyCount{{"1", 1}}, users.MostRefused(9))
		require.Equal(t, []engine.KeyCount{{"a", 1}}, api.MostRefused(9))
		require.Equal(t, "t", trial.MostRefused(9)[0].Key)
	}
}

// TestMostRefusedOfAMillionKeys: of the ten keys that were refused most, all are among the first twelve that MostRefused
// names, with traffic by Zipf's law from many goroutines.
func TestMostRefusedOfAMillionKeys(t *testing.T) {
	eng := start(t, engine.Config{Limiter: oneEvery(24 * time.Hour)})
	const workers, keys = 4, 1_000_000
	refused := make([][]uint64, workers)
	var group sync.WaitGroup
	r := random(t)
	for w := range workers {
		r := rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
		group.Go(func() {
			refused[w] = make([]uint64, keys)
			traffic := rand.NewZipf(r, 1.1, 1, keys-1)
			for range *zipfFlag / workers {
				if key := traffic.Uint64(); !eng.Allow(fmt.Sprint(key)) {
					refused[w][key]++
				}
			}
		})
	}
	group.Wait()
	ranking := make([]int, keys)
	for key := range ranking {
		ranking[key] = key
		for w := 1; w < workers; w++ {
			refused[0][key] += refused[w][key]
		}
	}
	slices.SortFunc(ranking, func(a, b int) int { return int(refused[0][b]) - int(refused[0][a]) }) //nolint:gosec // small
	most := eng.MostRefused(12)
	sure := 10
	if *zipfFlag < 2_000_000 { // few refusals, of which one in sixteen is counted: only the first are far enough from the others
		sure = 3
	}
	for _, key := range ranking[:sure] {
		at := slices.IndexFunc(most, func(k engine.KeyCount) bool { return k.Key == fmt.Sprint(key) })
		require.GreaterOrEqual(t, at, 0, "key %d, refused %d times; the first twelve: %v", key, refused[0][key], most)
		if sure == 10 {
			require.InEpsilon(t, refused[0][key], most[at].Refused, 0.35)
		}
	}
}
