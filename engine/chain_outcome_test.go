package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestPerCallDecidesOnce: attempts after the first take no token of such an engine, and its breaker hears
// the last outcome.
func TestPerCallDecidesOnce(t *testing.T) {
	bucket := limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Hour)}
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		k := chained(engines)
		attempts := 0
		require.NoError(t, k.Run(t.Context(), func(context.Context) error {
			if attempts++; attempts < 3 {
				return errDown
			}
			return nil
		}))
		require.InDelta(t, 9, available(t, engines[0]), 0.01)
		require.InDelta(t, 7, available(t, engines[1]), 0.01)
		require.Zero(t, inspect(t, engines[0], "k").Failures, "it heard of the success alone")
		require.ErrorIs(t, k.Run(t.Context(), fail), errDown)
		require.Equal(t, 1, inspect(t, engines[0], "k").Failures)
		require.Equal(t, 5, inspect(t, engines[1], "k").Failures)
		require.InDelta(t, 8, available(t, engines[0]), 0.01)
		require.Panics(t, func() { _ = k.Run(t.Context(), func(context.Context) error { panic("fn") }) })
		require.Equal(t, 2, inspect(t, engines[0], "k").Failures)
		require.Equal(t, 6, inspect(t, engines[1], "k").Failures)
	}, engine.Config{Limiter: bucket, Breaker: opensAfter(9), PerCall: true}, engine.Config{Limiter: bucket, Breaker: opensAfter(9), Retry: everySecond})
	t.Run("alone", func(t *testing.T) {
		cfg := engine.Config{Limiter: bucket, Breaker: opensAfter(9), Retry: everySecond, PerCall: true}
		eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
			calls := 0
			require.ErrorIs(t, eng.Run(t.Context(), "k", failing(&calls, errDown)), errDown)
			require.ErrorIs(t, eng.Key("k").Run(t.Context(), failing(&calls, errDown)), errDown)
			_, err := engine.Do(t.Context(), eng, "k", func(context.Context) (int, error) { return 0, failing(&calls, errDown)(nil) })
			require.ErrorIs(t, err, errDown)
			require.Equal(t, 15, calls)
			require.Equal(t, 3, inspect(t, eng, "k").Failures)
			require.InDelta(t, 7, available(t, eng), 0.01)
			require.ErrorIs(t, (<-engine.Go(t.Context(), eng, "k", func(context.Context) (int, error) { return 0, errDown })).Err, errDown)
			require.Equal(t, 4, inspect(t, eng, "k").Failures)
		})
	})
}

// TestChainsThatCannotBeUsed name the field and the reason at every use.
func TestChainsThatCannotBeUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var keys []engine.Key
		for range 9 {
			keys = append(keys, start(t, engine.Config{}).Key("k"))
		}
		for name, c := range map[string]struct {
			k     engine.Key
			field string
		}{
			"nine keys":          {engine.Chain(keys[0], keys[1:]...), "Chain"},
			"one twice":          {engine.Chain(keys[0], keys[1], keys[0]), "Chain[2]"},
			"the zero Key first": {engine.Chain(engine.Key{}, keys[0]), "Chain[0]"},
			"the zero Key":       {engine.Chain(keys[0], engine.Key{}), "Chain[1]"},
			"other clocks":       {engine.Chain(keys[0], start(t, engine.Config{Clock: otherClock{clock.System()}}).Key("k")), "Chain[1]"},
			"within a chain":     {engine.Chain(engine.Chain(keys[0], keys[0]), keys[1]), "Chain[1]"},
			"no stay":            {engine.Chain(keys[0], keys[1].Within(0)), "Within"},
		} {
			_, admit := c.k.Admit(t.Context())
			goes := <-engine.GoKey(t.Context(), c.k, func(context.Context) (int, error) { return 1, nil })
			for _, err := range []error{c.k.Run(t.Context(), succeed), c.k.Acquire(t.Context()), admit, goes.Err} {
				bad, ok := errors.AsType[*engine.ConfigError](err)
				require.True(t, ok, "%s: %v", name, err)
				require.Equal(t, c.field, bad.Field, name)
			}
			require.False(t, c.k.Allow(), name)
		}
		whole := engine.Chain(engine.Chain(keys[0], keys[1]), engine.Chain(keys[2], keys[3]), keys[4], keys[5], keys[6], keys[7])
		require.NoError(t, whole.Run(t.Context(), succeed))
		require.True(t, whole.Allow())
	})
}

// otherClock is a clock of its own.
type otherClock struct{ clock.Clock }

// TestATicketOfAChain reports to every breaker.
func TestATicketOfAChain(t *testing.T) {
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		k := chained(engines)
		ticket, err := k.Admit(t.Context())
		require.NoError(t, err)
		require.False(t, ticket.Probe())
		ticket.Done(errDown)
		ticket.Done(nil)
		for _, e := range engines {
			require.Equal(t, breaker.Open, inspect(t, e, "k").Breaker)
		}
		time.Sleep(5 * time.Second)
		ticket, err = k.Admit(t.Context())
		require.NoError(t, err)
		require.True(t, ticket.Probe())
		_, err = k.Admit(t.Context())
		rejected(t, err, breaker.ErrOpen)
		ticket.Done(nil)
		for _, e := range engines {
			require.Equal(t, breaker.Closed, inspect(t, e, "k").Breaker)
		}
	}, engine.Config{Breaker: opensAfter(1)}, engine.Config{Breaker: opensAfter(1)})
}

// TestEachBreakerJudgesByItsOwnClassify.
func TestEachBreakerJudgesByItsOwnClassify(t *testing.T) {
	ignores := engine.Config{Breaker: opensAfter(2), Classify: func(error) engine.Outcome { return engine.Ignore }}
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		require.ErrorIs(t, chained(engines).Run(t.Context(), fail), errDown)
		require.Zero(t, inspect(t, engines[0], "k").Failures)
		require.Equal(t, 1, inspect(t, engines[1], "k").Failures)
	}, ignores, engine.Config{Breaker: opensAfter(2)})
}

// TestACallUnderTheProbesOfAChain passes: the function of a chain's probe calls the chain.
func TestACallUnderTheProbesOfAChain(t *testing.T) {
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		k := chained(engines)
		require.ErrorIs(t, k.Run(t.Context(), fail), errDown)
		time.Sleep(5 * time.Second)
		require.NoError(t, k.Run(t.Context(), func(ctx context.Context) error {
			return k.Run(ctx, func(ctx context.Context) error { return engines[1].Run(ctx, "k", succeed) })
		}))
		for _, e := range engines {
			require.Equal(t, breaker.Closed, inspect(t, e, "k").Breaker)
		}
	}, engine.Config{Breaker: opensAfter(1), Limiter: limiter.TokenBucket{Capacity: 9, RefillRate: limiter.PerSecond(9)}}, engine.Config{Breaker: opensAfter(1)})
}

// TestARefusedChainMakesNoWiderKeyKnown: a narrow limit shields the memory of the wider engines.
func TestARefusedChainMakesNoWiderKeyKnown(t *testing.T) {
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		require.True(t, engines[0].Allow("k"))
		for i := range 100 {
			k := engine.Chain(engines[0].Key("k"), engines[1].Key(fmt.Sprint(i)))
			rejected(t, k.Run(t.Context(), succeed), limiter.ErrLimited)
			require.False(t, k.Allow())
		}
		require.Zero(t, engines[1].Stats().Keys)
	}, engine.Config{Limiter: oneEvery(time.Hour), MaxWait: engine.NoWait}, engine.Config{Limiter: oneEvery(time.Hour), Breaker: opensAfter(1)})
}
