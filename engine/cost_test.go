package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// left returns the whole tokens that key has.
func left(t *testing.T, eng *engine.Engine, key string) int {
	t.Helper()
	return int(tokensOf(t, eng, key))
}

// tenPerHour has ten tokens, and hardly any more.
var tenPerHour = limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Hour)}

func TestRowACostIsTakenByEveryKindOfCall(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: tenPerHour, MaxWait: engine.NoWait}, func(t *testing.T, eng *engine.Engine) {
		for name, call := range map[string]func(k engine.Key) error{
			"Run":     func(k engine.Key) error { return k.Run(t.Context(), succeed) },
			"Acquire": func(k engine.Key) error { return k.Acquire(t.Context()) },
			"Allow": func(k engine.Key) error {
				if !k.Allow() {
					return limiter.ErrLimited
				}
				return nil
			},
			"Admit": func(k engine.Key) error {
				ticket, err := k.Admit(t.Context())
				if err == nil {
					ticket.Done(nil)
				}
				return err
			},
			"GoKey": func(k engine.Key) error {
				return (<-engine.GoKey(t.Context(), k, func(context.Context) (int, error) { return 1, nil })).Err
			},
		} {
			plain := eng.Key("k")
			k := plain.Cost(4)
			eng.Reset("k")
			require.NoError(t, call(k), name)
			require.Equal(t, 6, left(t, eng, "k"), name)
			require.NoError(t, call(k), name)
			require.False(t, k.Explain().Passes, name)
			require.ErrorIs(t, k.Check(t.Context()), limiter.ErrLimited)
			require.ErrorIs(t, call(k), limiter.ErrLimited, name)
			require.True(t, plain.Explain().Passes, "the other handle is as before")
			require.NoError(t, call(plain), name)
			require.NoError(t, k.AcquireN(t.Context(), 1), "AcquireN names its own number")
			require.Equal(t, 0, left(t, eng, "k"), name)
		}
	})
}

func TestACostThatNoCallCanHave(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: tenPerHour}, func(t *testing.T, eng *engine.Engine) {
		r := rejected(t, eng.Key("k").Cost(11).Run(t.Context(), succeed), limiter.ErrExceedsCapacity)
		require.Zero(t, r.RetryAfter())
		for _, n := range []int{0, -3} {
			for _, k := range []engine.Key{eng.Key("k").Cost(n), engine.Chain(eng.Key("k").Cost(n), start(t, engine.Config{}).Key("x"))} {
				var bad *engine.ConfigError
				require.ErrorAs(t, k.Run(t.Context(), succeed), &bad)
				require.Equal(t, "Cost", bad.Field)
				require.EqualValues(t, n, bad.Value)
				_, err := k.Admit(t.Context())
				require.ErrorAs(t, err, &bad)
				require.ErrorAs(t, k.Acquire(t.Context()), &bad)
				require.False(t, k.Allow())
				require.False(t, k.Explain().Passes)
			}
			require.NoError(t, eng.Key("k").Cost(n).Cost(1).Run(t.Context(), succeed))
			eng.Reset("k")
		}
	})
}

// TestACostBindsToItsOwnKeyOfAChain, and the cost of a chain to the first.
func TestACostBindsToItsOwnKeyOfAChain(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: tenPerHour}, func(t *testing.T, eng *engine.Engine) {
		tenants := start(t, engine.Config{Limiter: tenPerHour, Dispatch: eng.Config().Dispatch})
		everybody := start(t, engine.Config{Limiter: tenPerHour, Dispatch: eng.Config().Dispatch})
		leftOfAll := func() []int {
			return []int{left(t, eng, "u"), left(t, tenants, "t"), left(t, everybody, "all")}
		}
		k := engine.Chain(eng.Key("u").Cost(2), tenants.Key("t"), everybody.Key("all").Cost(3))
		require.NoError(t, k.Run(t.Context(), succeed))
		require.Equal(t, []int{8, 9, 7}, leftOfAll())
		require.NoError(t, k.Cost(5).Run(t.Context(), succeed))
		require.Equal(t, []int{3, 8, 4}, leftOfAll())
		require.NoError(t, k.AcquireN(t.Context(), 1))
		require.Equal(t, []int{2, 7, 1}, leftOfAll())
		r := rejected(t, k.NoWait().Run(t.Context(), succeed), limiter.ErrLimited)
		require.Equal(t, "all", r.Key)
		require.Equal(t, 2*time.Hour, r.RetryAfter().Round(time.Minute))
		require.Equal(t, []int{2, 7, 1}, leftOfAll(), "what the narrower keys gave came back")
		require.Zero(t, eng.Stats().KeptSpent)
	})
}

func TestACallThatWaitsForItsCost(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: tenPerHour, Breaker: &breaker.Policy{}}, func(t *testing.T, eng *engine.Engine) {
		k := eng.Key("k").Cost(8)
		require.NoError(t, k.Run(t.Context(), succeed))
		began := time.Now()
		require.NoError(t, k.Run(t.Context(), succeed), "six tokens short")
		require.Equal(t, 6*time.Hour, time.Since(began).Round(time.Minute))
		ctx, cancel := context.WithCancel(t.Context())
		gone := inBackground(func() error { return k.Run(ctx, succeed) })
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-gone, context.Canceled)
		require.Zero(t, inspect(t, eng, "k").Waiting)
		require.Zero(t, left(t, eng, "k"))
	})
}

func TestARetryTakesItsCostAgain(t *testing.T) {
	cfg := engine.Config{Limiter: tenPerHour, Retry: &retry.Policy{MaxAttempts: 3, BaseDelay: time.Second}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.ErrorIs(t, eng.Key("k").Cost(3).Run(t.Context(), fail), errDown)
		require.Equal(t, 1, left(t, eng, "k"))
	})
}

// TestACallThatIsNotMadeGivesBackItsCost: the context ends while the last key has the call wait.
func TestACallThatIsNotMadeGivesBackItsCost(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: tenPerHour}, func(t *testing.T, eng *engine.Engine) {
		wide := start(t, engine.Config{Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}, Dispatch: eng.Config().Dispatch})
		require.NoError(t, wide.Acquire(t.Context(), "all"))
		ctx, cancel := context.WithCancel(t.Context())
		k := engine.Chain(eng.Key("u").Cost(4), wide.Key("all"))
		gone := inBackground(func() error { return k.Run(ctx, succeed) })
		synctest.Wait()
		require.Equal(t, 6, left(t, eng, "u"))
		cancel()
		require.ErrorIs(t, <-gone, context.Canceled)
		synctest.Wait()
		require.Equal(t, 10, left(t, eng, "u"))

		gone = inBackground(func() error { return k.Run(t.Context(), succeed) })
		synctest.Wait()
		require.NoError(t, eng.Acquire(t.Context(), "u")) // on top of the call's tokens
		require.NoError(t, wide.Close(context.Background()))
		require.ErrorIs(t, <-gone, engine.ErrClosed)
		require.EqualValues(t, 4, eng.Stats().KeptSpent)
	})
}
