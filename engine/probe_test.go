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
)

// nested calls the key of its own call, as a function does that reads through a cache of its own.
func nested(eng *engine.Engine, key string, depth int, fn func(context.Context) error) func(context.Context) error {
	if depth == 0 {
		return fn
	}
	return func(ctx context.Context) error { return eng.Run(ctx, key, nested(eng, key, depth-1, fn)) }
}

// A probe whose function calls its own key, at any depth, closes the breaker when the recovery time
// has passed.
func TestRowACallInsideAProbeOfItsOwnKey(t *testing.T) {
	for _, depth := range []int{1, 2, 5} {
		eachDispatch(t, engine.Config{Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Minute}}, func(t *testing.T, eng *engine.Engine) {
			failTimes(t, eng, "redis", 1)
			time.Sleep(time.Minute)
			require.NoError(t, eng.Run(t.Context(), "redis", nested(eng, "redis", depth, succeed)))
			require.Equal(t, breaker.Closed, inspect(t, eng, "redis").Breaker)

			failTimes(t, eng, "redis", 1)
			time.Sleep(time.Minute)
			require.ErrorIs(t, eng.Run(t.Context(), "redis", nested(eng, "redis", depth, fail)), errDown)
			require.Equal(t, breaker.Open, inspect(t, eng, "redis").Breaker, "the probe has failed, by the call in it")
		})
	}
}

// The same by handles, by tickets, and with other keys and engines between.
func TestRowACallInsideAProbeOfItsOwnKeyByAnyWay(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		outer := start(t, engine.Config{Breaker: opensAfter(1)})
		for name, call := range map[string]func(ctx context.Context) error{
			"handle": func(ctx context.Context) error { return eng.Key("k").Run(ctx, succeed) },
			"ticket": func(ctx context.Context) error {
				ticket, err := eng.Admit(ctx, "k")
				if err == nil {
					ticket.Done(nil)
				}
				return err
			},
			"Go": func(ctx context.Context) error {
				return (<-engine.Go(ctx, eng, "k", func(context.Context) (int, error) { return 0, nil })).Err
			},
			"another key between": func(ctx context.Context) error {
				return eng.Run(ctx, "other", nested(eng, "k", 1, succeed))
			},
			"another engine between": func(ctx context.Context) error {
				return outer.Run(ctx, "k", nested(eng, "k", 1, succeed))
			},
		} {
			failTimes(t, eng, "k", 1)
			failTimes(t, eng, "other", 1)
			failTimes(t, outer, "k", 1)
			time.Sleep(5 * time.Second)
			require.NoError(t, eng.Run(t.Context(), "k", call), name)
			require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker, name)
			eng.ResetAll()
			outer.ResetAll()
		}
	})
}

// Inside a probe one call passes at a time; the call takes a token and reports nothing. A call of
// another caller is refused.
func TestInsideAProbeOneCallPassesAtATime(t *testing.T) {
	cfg := engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 1, ProbeTimeout: time.Minute},
		Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Hour)},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1) // nine tokens are left
		time.Sleep(5 * time.Second)
		require.NoError(t, eng.Run(t.Context(), "k", func(ctx context.Context) error {
			rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
			require.NoError(t, eng.Run(ctx, "k", func(context.Context) error {
				rejected(t, eng.Run(ctx, "k", succeed), breaker.ErrOpen) // beside the one that has passed
				return nil
			}))
			require.ErrorIs(t, eng.Run(ctx, "k", fail), errDown, "the next one passes, and its failure is not counted")
			rejected(t, eng.Run(context.WithoutCancel(t.Context()), "k", succeed), breaker.ErrOpen)
			require.NoError(t, eng.Run(context.WithoutCancel(ctx), "k", succeed), "the context is a descendant")
			return nil
		}))
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
		require.InDelta(t, 5, inspect(t, eng, "k").Limits[0].Available, 0.1, "each call that passed has taken one")
	})
}

// When the lease has ended, the leave has ended: for a call that comes, for a call that waits for a
// token, and after a Reset.
func TestTheLeaveEndsWithTheLease(t *testing.T) {
	cfg := engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Hour, ProbeTimeout: time.Second},
		Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Minute)},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		time.Sleep(time.Hour)
		require.True(t, eng.AllowN("k", 1))
		require.NoError(t, eng.Run(t.Context(), "k", func(ctx context.Context) error {
			waiting := inBackground(func() error { return eng.Run(ctx, "k", succeed) }) // no token is left for it
			synctest.Wait()
			require.Equal(t, 1, inspect(t, eng, "k").Waiting)
			time.Sleep(time.Second)
			rejected(t, <-waiting, breaker.ErrOpen)
			rejected(t, eng.Run(ctx, "k", succeed), breaker.ErrOpen)
			return nil
		}))
		require.Equal(t, breaker.Open, inspect(t, eng, "k").Breaker)
	})
}

// A call inside a probe that waits for a token of the probe's key gets the token.
func TestACallInsideAProbeMayWaitForAToken(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Limiter: oneEvery(4 * time.Second)}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		time.Sleep(5 * time.Second)
		begin := time.Now()
		require.NoError(t, eng.Run(t.Context(), "k", nested(eng, "k", 2, succeed)))
		require.Equal(t, 8*time.Second, time.Since(begin))
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
	})
}

// The context of a call that has ended gives no leave any more. Nor does the context of a probe
// that has ended, though another probe is out.
func TestTheLeaveEndsWithTheFunction(t *testing.T) {
	cfg := engine.Config{Breaker: &breaker.Policy{FailureThreshold: 1, HalfOpenProbes: 2, HalfOpenSuccesses: 3}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		time.Sleep(5 * time.Second)
		var kept context.Context
		hold := make(chan struct{})
		running := func() <-chan error {
			return inBackground(func() error { return eng.Run(t.Context(), "k", func(context.Context) error { <-hold; return nil }) })
		}
		first := running()
		synctest.Wait()
		require.NoError(t, eng.Run(t.Context(), "k", func(ctx context.Context) error { kept = ctx; return nil }))
		second := running()
		synctest.Wait()
		rejected(t, eng.Run(kept, "k", succeed), breaker.ErrOpen) // both places are taken, at the same instant
		close(hold)
		require.NoError(t, <-first)
		require.NoError(t, <-second)
	})
}

// At every depth, one call at a time passes in each function. Calls with the contexts of functions
// that have ended do not pass.
func TestNoCrowdPassesInsideAProbe(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		time.Sleep(5 * time.Second)
		require.NoError(t, eng.Run(t.Context(), "k", func(ctx context.Context) error {
			var kept []context.Context
			for range 10 {
				require.NoError(t, eng.Run(ctx, "k", func(ctx context.Context) error { kept = append(kept, ctx); return nil }))
			}
			for _, ctx := range kept {
				rejected(t, eng.Run(ctx, "k", succeed), breaker.ErrOpen)
			}
			return eng.Run(ctx, "k", succeed)
		}))
	})
}
