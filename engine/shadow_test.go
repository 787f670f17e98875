package engine_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestRowShadow: an engine refuses nothing, and counts the calls that it would have refused.
func TestRowShadow(t *testing.T) {
	cfg := engine.Config{
		Shadow: true, MaxWait: 2 * time.Second, Limiter: bucketOf(2, limiter.PerSecond(1)), Breaker: &breaker.Policy{FailureThreshold: 2, RecoveryTimeout: time.Hour},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		begun := time.Now()
		for range 10 {
			require.NoError(t, eng.Run(t.Context(), "k", succeed))
		}
		require.Zero(t, time.Since(begun), "nobody waits")
		s := eng.Stats()
		require.EqualValues(t, 4, s.Admitted, "two tokens, and two that would have been waited for")
		require.EqualValues(t, 6, s.ShadowRefused)
		require.EqualValues(t, 4, s.Successes)
		require.Zero(t, s.Limited)
		for range 4 {
			require.ErrorIs(t, eng.Run(t.Context(), "down", fail), errDown)
		}
		require.EqualValues(t, 8, eng.Stats().ShadowRefused, "the breaker is open")
		enforced := cfg
		enforced.Shadow, enforced.Dispatch = false, eng.Config().Dispatch
		require.NoError(t, eng.Reconfigure(enforced))
		require.ErrorIs(t, eng.Run(t.Context(), "down", succeed), breaker.ErrOpen)
		require.ErrorIs(t, eng.Run(t.Context(), "k", succeed), limiter.ErrLimited)
	})
}

// TestShadowInAChain takes nothing where it would have refused, and leaves the others alone.
func TestShadowInAChain(t *testing.T) {
	eachDispatchOf(t, func(t *testing.T, d engine.Dispatch) {
		narrow := start(t, engine.Config{Dispatch: d, Limiter: bucketOf(5, limiter.Per(1, time.Hour)), MaxWait: engine.NoWait})
		wide := start(t, engine.Config{Dispatch: d, Shadow: true, Limiter: bucketOf(2, limiter.Per(1, time.Hour)), MaxWait: engine.NoWait})
		k := engine.Chain(narrow.Key("user"), wide.Key("all"))
		for range 5 {
			require.NoError(t, k.Run(t.Context(), succeed))
		}
		err := k.Run(t.Context(), succeed)
		require.ErrorIs(t, err, limiter.ErrLimited)
		var r *engine.Rejection
		require.True(t, errors.As(err, &r))
		require.Equal(t, "user", r.Key)
		require.EqualValues(t, 2, wide.Stats().Admitted)
		require.EqualValues(t, 3, wide.Stats().ShadowRefused)
		require.Zero(t, wide.Stats().KeptSpent+narrow.Stats().KeptSpent)
	})
}

// TestShadowLetsThoseGoWhoWait, and takes tokens of every limit as of when all would have been there.
func TestShadowLetsThoseGoWhoWait(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.All(bucketOf(1, limiter.Per(1, time.Hour)), bucketOf(10, limiter.PerSecond(10)))}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k") && eng.Allow("nobody waits"))
		begun := time.Now()
		waiter := inBackground(func() error { return eng.Acquire(t.Context(), "k") })
		synctest.Wait()
		trial := eng.Config()
		trial.Shadow = true
		require.NoError(t, eng.Reconfigure(trial))
		require.NoError(t, <-waiter)
		require.NoError(t, eng.Acquire(t.Context(), "nobody waits"))
		require.Zero(t, time.Since(begun))
		require.Zero(t, inspect(t, eng, "nobody waits").Limits[1].Available, "the second limit gave its token in an hour's time")
	})
}
