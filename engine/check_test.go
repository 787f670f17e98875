package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock/clocktest"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

func TestCheckSaysWhatACallWouldGetAndTakesNothing(t *testing.T) {
	cfg := engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Minute)},
		Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Hour},
		MaxWait: engine.NoWait,
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		k := eng.Key("k")
		for range 10 {
			require.NoError(t, k.Check(t.Context()))
		}
		require.InDelta(t, 2, available(t, eng), 0)
		require.Zero(t, eng.Stats().Admitted)

		require.True(t, eng.AllowN("k", 2))
		r := rejected(t, k.Check(t.Context()), limiter.ErrLimited)
		require.Equal(t, time.Minute, r.RetryAfter())
		require.Equal(t, engine.LimiterStage, r.Stage)
		time.Sleep(time.Minute)
		require.NoError(t, k.Check(t.Context()))
		failTimes(t, eng, "k", 1)
		require.Equal(t, time.Hour, rejected(t, k.Check(t.Context()), breaker.ErrOpen).RetryAfter())
		time.Sleep(time.Hour)
		require.NoError(t, k.Check(t.Context()), "a probe would pass")
		require.NoError(t, k.Run(t.Context(), func(ctx context.Context) error {
			require.NoError(t, k.Check(ctx), "a call in the probe's function would pass")
			require.NoError(t, k.Run(ctx, succeed), "Check has not taken the leave")
			rejected(t, k.Check(t.Context()), breaker.ErrOpen)
			return nil
		}))
		s := eng.Stats()
		require.Equal(t, [2]uint64{1, 2}, [2]uint64{s.Limited, s.Open})

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, k.Check(ctx), context.Canceled)
		_, bad := k.Within(0).Check(t.Context()).(*engine.ConfigError)
		require.True(t, bad)
		require.NoError(t, eng.Close(t.Context()))
		rejected(t, k.Check(t.Context()), engine.ErrClosed)
	})
}

func TestCheckKnowsWhetherACallMayWait(t *testing.T) {
	cfg := engine.Config{Limiter: oneEvery(time.Minute), MaxWait: time.Minute, MaxQueue: 1}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		k := eng.Key("k")
		require.True(t, k.Allow())
		require.NoError(t, k.Check(t.Context()), "there is room in the queue")
		rejected(t, k.NoWait().Check(t.Context()), limiter.ErrLimited)
		rejected(t, k.Within(time.Second).Check(t.Context()), limiter.ErrLimited)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		rejected(t, k.Check(ctx), limiter.ErrLimited)
	})
}

// TestCheckOfAChainIsThatOfItsCalls: in random states Check and the call that follows at once agree.
func TestCheckOfAChainIsThatOfItsCalls(t *testing.T) {
	eachDispatchOnMock(t, func(t *testing.T, d engine.Dispatch, m *clocktest.Mock) {
		r, refused := random(t), 0
		for range *chainStates / 4 {
			var engines []*engine.Engine
			for range 1 + r.IntN(3) {
				cfg := randomMember(r, "")
				cfg.Dispatch, cfg.Clock, cfg.PerCall = d, m, r.IntN(4) == 0
				engines = append(engines, start(t, cfg))
			}
			for _, e := range engines {
				stir(r, m, e)
			}
			k := chained(engines).NoWait()
			before := k.Check(context.Background())
			err := k.Run(context.Background(), succeed)
			require.Equal(t, err == nil, before == nil, "%v, and then %v", before, err)
			if err != nil {
				refused++
				require.Equal(t, err.Error(), before.Error())
			}
		}
		require.Greater(t, refused, *chainStates/32)
	})
}
