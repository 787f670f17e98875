package engine_test

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock/clocktest"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

var (
	refusalsFlag = flag.Int("engine.refusals", 100_000/slowdown, "how many calls TestARefusedChainTakesNothing makes")
	racesFlag    = flag.Int("engine.races", 300, "for how many tokens TestManyRaceForATokenOfAChain has callers race")
)

// eachChain runs f once for each Dispatch, in a bubble of its own, with an engine for each of cfgs.
func eachChain(t *testing.T, f func(t *testing.T, engines []*engine.Engine), cfgs ...engine.Config) {
	t.Helper()
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var engines []*engine.Engine
				for _, cfg := range cfgs {
					cfg.Dispatch = d
					engines = append(engines, start(t, cfg))
				}
				f(t, engines)
			})
		})
	}
}

// chained is the chain of key "k" of each engine.
func chained(engines []*engine.Engine) engine.Key {
	var keys []engine.Key
	for _, e := range engines {
		keys = append(keys, e.Key("k"))
	}
	return engine.Chain(keys[0], keys[1:]...)
}

// available is what is left of the first limit of key "k".
func available(t *testing.T, e *engine.Engine) float64 {
	t.Helper()
	s, known := e.Inspect("k")
	if !known {
		return float64(e.Limits()[0].Capacity())
	}
	return s.Limits[0].Available
}

// TestAChainOfADeadAPI: the limits belong to 200 users, the breaker to the API, which is dead for an
// hour. Each user calls every 10 s; 72,000 calls in all.
func TestAChainOfADeadAPI(t *testing.T) {
	users := engine.Config{Name: "user", Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(100, time.Minute)}}
	apis := engine.Config{Name: "api", Breaker: &breaker.Policy{FailureThreshold: 5}, Retry: &retry.Policy{MaxAttempts: 3}}
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		const n = 200
		var reached atomic.Int64
		begun := time.Now()
		served := make([]time.Duration, n)
		api := engines[1].Key("payments")
		var callers sync.WaitGroup
		for u := range n {
			callers.Go(func() {
				time.Sleep(time.Duration(u) * 50 * time.Millisecond)
				k := engine.Chain(engines[0].Key(fmt.Sprint(u)), api)
				for range 365 {
					err := k.Run(t.Context(), func(context.Context) error {
						if time.Since(begun) < time.Hour {
							reached.Add(1)
							return errDown
						}
						return nil
					})
					if err == nil && served[u] == 0 {
						served[u] = time.Since(begun)
					}
					time.Sleep(10 * time.Second)
				}
			})
		}
		callers.Wait()
		t.Logf("%d of 72,000 calls reached the API", reached.Load())
		require.LessOrEqual(t, reached.Load(), int64(800))
		for u, at := range served {
			require.NotZero(t, at, "user %d was never served", u)
			require.LessOrEqual(t, at, time.Hour+15*time.Second, "user %d", u)
		}
		require.Zero(t, engines[0].Stats().KeptSpent)
	}, users, apis)
}

func tiers(d time.Duration) []engine.Config {
	var cfgs []engine.Config
	for _, name := range []string{"user", "tenant", "process"} {
		cfgs = append(cfgs, engine.Config{
			Name: name, Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, d)}, MaxWait: engine.NoWait,
		})
	}
	return cfgs
}

// TestARefusedChainTakesNothing: the last of three keys is empty, and all calls are refused.
func TestARefusedChainTakesNothing(t *testing.T) {
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		require.True(t, engines[2].AllowN("k", 10))
		k := chained(engines)
		for range *refusalsFlag {
			if k.Allow() {
				t.Fatal("admitted")
			}
		}
		r := rejected(t, k.Run(t.Context(), succeed), limiter.ErrLimited)
		require.Equal(t, "process", r.Engine)
		require.Equal(t, engine.LimiterStage, r.Stage)
		require.Equal(t, time.Hour, r.RetryAfter())
		require.EqualError(t, r, `engine process: key "k": limiter: limited (retry after 1h0m0s)`)
		for _, e := range engines[:2] {
			require.EqualValues(t, 10, available(t, e))
			require.Zero(t, e.Stats().KeptSpent)
		}
		require.Zero(t, engines[2].Stats().KeptSpent)
	}, tiers(time.Hour)...)
}

// TestManyRaceForATokenOfAChain: 64 callers race for one token that comes back. What a loser has taken of
// the narrower keys comes back, or is counted.
func TestManyRaceForATokenOfAChain(t *testing.T) {
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		t.Run(d.String(), func(t *testing.T) {
			clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
				const callers = 64
				rounds := *racesFlag
				var engines []*engine.Engine
				for i, cfg := range tiers(time.Second) {
					cfg.Dispatch, cfg.Clock = d, m
					if i < 2 {
						cfg.Limiter = limiter.TokenBucket{Capacity: 1 << 20, RefillRate: limiter.Per(1, 10*time.Minute)}
					}
					engines = append(engines, start(t, cfg))
				}
				require.True(t, engines[2].AllowN("k", 10))
				k := chained(engines)
				for round := range rounds {
					m.Advance(time.Second)
					var passed atomic.Int64
					var race sync.WaitGroup
					for range callers {
						race.Go(func() {
							if k.Run(context.Background(), succeed) == nil {
								passed.Add(1)
							}
						})
					}
					race.Wait()
					require.EqualValues(t, 1, passed.Load(), "round %d", round)
					for _, e := range engines[:2] {
						kept := e.Stats().KeptSpent
						require.LessOrEqual(t, kept, uint64((callers-1)*(round+1)))
						gained := float64(round) / 600 // since the first token was taken
						require.InDelta(t, 1<<20-float64(round+1)-float64(kept)+gained, available(t, e), 0.01, "the tokens of round %d", round)
					}
				}
				t.Logf("kept spent of %d losers: %d and %d", (callers-1)*rounds, engines[0].Stats().KeptSpent, engines[1].Stats().KeptSpent)
			})
		})
	}
}

// TestTokensComeBackOnlyIfNobodyTookOnTop of them: a call waits at the wide key and leaves.
func TestTokensComeBackOnlyIfNobodyTookOnTop(t *testing.T) {
	narrow := engine.Config{Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Hour)}}
	wide := engine.Config{Limiter: oneEvery(time.Minute)}
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		k := chained(engines)
		require.NoError(t, k.Acquire(t.Context()))
		for _, others := range []int{0, 1} {
			before, kept := available(t, engines[0]), engines[0].Stats().KeptSpent
			ctx, cancel := context.WithCancel(t.Context())
			left := inBackground(func() error { return k.Run(ctx, succeed) })
			synctest.Wait()
			require.InDelta(t, before-1, available(t, engines[0]), 0.01, "held by the one that waits")
			for range others {
				require.True(t, engines[0].Allow("k"))
			}
			cancel()
			require.ErrorIs(t, <-left, context.Canceled)
			require.InDelta(t, before-2*float64(others), available(t, engines[0]), 0.01)
			require.EqualValues(t, others, engines[0].Stats().KeptSpent-kept)
			require.Zero(t, inspect(t, engines[1], "k").Waiting)
		}
	}, narrow, wide)
}

// TestAResetEndsWhatMayComeBack: tokens taken before a Reset are not given back on top of it.
func TestAResetEndsWhatMayComeBack(t *testing.T) {
	narrow := engine.Config{Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Hour)}}
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		k := chained(engines)
		require.NoError(t, k.Acquire(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		left := inBackground(func() error { return k.Run(ctx, succeed) })
		synctest.Wait()
		engines[0].Reset("k")
		require.True(t, engines[0].AllowN("k", 2)) // full-at is where the debit of the waiter left it
		cancel()
		require.ErrorIs(t, <-left, context.Canceled)
		require.InDelta(t, 8, available(t, engines[0]), 0.01)
		require.EqualValues(t, 1, engines[0].Stats().KeptSpent)
	}, narrow, engine.Config{Limiter: oneEvery(time.Minute)})
}

// TestACallThatIsSureToBeRefusedHoldsNothing, not even for a moment: others find the wide key's only token all the time.
func TestACallThatIsSureToBeRefusedHoldsNothing(t *testing.T) {
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		t.Run(d.String(), func(t *testing.T) {
			cfg := engine.Config{Limiter: oneEvery(time.Hour), MaxWait: engine.NoWait, Dispatch: d}
			engines := []*engine.Engine{start(t, cfg), start(t, cfg)}
			require.True(t, engines[0].Allow("k"))
			k := chained(engines)
			var refused sync.WaitGroup
			var ended atomic.Bool
			for range 4 {
				refused.Go(func() {
					for !ended.Load() {
						if k.Run(context.Background(), succeed) == nil {
							t.Error("admitted")
							return
						}
					}
				})
			}
			for range 2000 {
				if !engines[1].Allow("k") {
					t.Error("a refused call held the token")
					break
				}
				engines[1].Reset("k")
			}
			ended.Store(true)
			refused.Wait()
		})
	}
}
