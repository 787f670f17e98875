package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// thrice makes three attempts, a second apart.
var thrice = &retry.Policy{MaxAttempts: 3, BaseDelay: time.Second, MaxDelay: time.Second, Jitter: retry.NoJitter}

func TestRowAttemptOfNumbersTheAttempts(t *testing.T) {
	eachDispatch(t, engine.Config{Retry: thrice, Breaker: opensAfter(99)}, func(t *testing.T, eng *engine.Engine) {
		other := start(t, engine.Config{Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 3*time.Second)}})
		for name, k := range map[string]engine.Key{"key": eng.Key("k"), "chain": engine.Chain(other.Key("x"), eng.Key("k"))} {
			waits := []time.Duration{0, time.Second, time.Second}
			if name == "chain" { // the limit has an attempt wait
				waits = []time.Duration{0, 3 * time.Second, 3 * time.Second}
			}
			var seen []engine.Attempt
			require.ErrorIs(t, k.Run(t.Context(), func(ctx context.Context) error {
				seen = append(seen, engine.AttemptOf(ctx))
				return errDown
			}), errDown)
			require.Equal(t, []engine.Attempt{
				{Number: 1},
				{Number: 2, Waited: waits[1], Last: errDown},
				{Number: 3, Waited: waits[2], Last: errDown},
			}, seen, name)
		}
		require.Equal(t, engine.Attempt{Number: 1}, engine.AttemptOf(t.Context()))
	})
}

// TestANestedEngineCountsItsOwnAttempts: in the second attempt of the outer engine, the first of the inner one is a first.
func TestANestedEngineCountsItsOwnAttempts(t *testing.T) {
	eachDispatch(t, engine.Config{Retry: thrice}, func(t *testing.T, outer *engine.Engine) {
		for _, cfg := range []engine.Config{
			{}, {Breaker: opensAfter(99)}, {Retry: thrice}, {AttemptTimeout: time.Minute},
			{Breaker: opensAfter(99), PerCall: true}, {Trace: &engine.Trace{}},
		} {
			inner := start(t, cfg)
			for name, call := range map[string]func(context.Context, func(context.Context) error) error{
				"Run": func(ctx context.Context, fn func(context.Context) error) error { return inner.Run(ctx, "k", fn) },
				"Chain": func(ctx context.Context, fn func(context.Context) error) error {
					return engine.Chain(inner.Key("k"), start(t, engine.Config{}).Key("x")).Run(ctx, fn)
				},
				"Admit": func(ctx context.Context, fn func(context.Context) error) error {
					ticket, err := inner.Admit(ctx, "k")
					if err != nil {
						return err
					}
					err = fn(ticket.Context())
					ticket.Done(err)
					return err
				},
			} {
				var seen []int
				_ = outer.Run(t.Context(), "k", func(ctx context.Context) error {
					around := engine.AttemptOf(ctx).Number
					err := call(ctx, func(in context.Context) error {
						seen = append(seen, 10*around+engine.AttemptOf(in).Number)
						return errDown
					})
					require.Equal(t, around, engine.AttemptOf(ctx).Number)
					require.ErrorIs(t, err, errDown)
					return errDown
				})
				want := []int{11, 21, 31}
				if cfg.Retry != nil && name != "Admit" {
					want = []int{11, 12, 13, 21, 22, 23, 31, 32, 33}
				}
				require.Equal(t, want, seen, "%s, %+v", name, cfg)
			}
		}
	})
}

// TestNoAttemptIsHiddenForEver: after a panic of a further attempt, first attempts are as cheap as before.
func TestNoAttemptIsHiddenForEver(t *testing.T) {
	eachDispatch(t, engine.Config{Retry: thrice}, func(t *testing.T, eng *engine.Engine) {
		require.Panics(t, func() {
			_ = eng.Run(t.Context(), "k", func(ctx context.Context) error {
				if engine.AttemptOf(ctx).Number == 2 {
					panic("no")
				}
				return errDown
			})
		})
		ctx := t.Context()
		require.NoError(t, eng.Run(ctx, "k", func(in context.Context) error {
			require.Equal(t, ctx, in)
			return nil
		}))
	})
}

// TestAnAttemptKnowsThatItIsAProbe, by its context and in a Trace.
func TestAnAttemptKnowsThatItIsAProbe(t *testing.T) {
	var traced []bool
	trace := &engine.Trace{Attempt: func(_ context.Context, _ string, a engine.Attempt) { traced = append(traced, a.Probe) }}
	eachDispatch(t, engine.Config{Breaker: opensAfter(1), Trace: trace}, func(t *testing.T, eng *engine.Engine) {
		other := start(t, engine.Config{})
		for _, k := range []engine.Key{eng.Key("k"), engine.Chain(other.Key("x"), eng.Key("k"))} {
			traced = nil
			require.ErrorIs(t, k.Run(t.Context(), fail), errDown)
			time.Sleep(5 * time.Second)
			require.NoError(t, k.Run(t.Context(), func(ctx context.Context) error {
				require.Equal(t, engine.Attempt{Number: 1, Probe: true}, engine.AttemptOf(ctx))
				return nil
			}))
			require.Equal(t, []bool{false, true}, traced)
		}
	})
}
