package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

func TestInspectAndReset(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 4, RefillRate: limiter.Per(1, time.Minute)}, Breaker: opensAfter(2)}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		_, known := eng.Inspect("k")
		require.False(t, known)
		eng.Reset("k")
		require.Zero(t, eng.Stats().Keys, "neither makes a key known")

		failTimes(t, eng, "k", 1)
		require.Equal(t, engine.Snapshot{
			Key: "k", Failures: 1, Limits: []limiter.Status{{Available: 3}},
		}, inspect(t, eng, "k"))
		failTimes(t, eng, "k", 1)
		time.Sleep(time.Second)
		require.Equal(t, breaker.Open, inspect(t, eng, "k").Breaker)
		require.Equal(t, 4*time.Second, inspect(t, eng, "k").OpenFor)

		require.True(t, eng.AllowN("k", 2))
		waiter := inBackground(func() error { return eng.AcquireN(t.Context(), "k", 3) })
		synctest.Wait()
		require.Equal(t, 1, inspect(t, eng, "k").Waiting)
		eng.Reset("k")
		require.NoError(t, <-waiter, "those that wait are served from the full bucket")
		s := inspect(t, eng, "k")
		require.Equal(t, breaker.Closed, s.Breaker)
		require.InDelta(t, 1, s.Limits[0].Available, 1e-9)

		require.True(t, eng.Allow("other"))
		eng.ResetAll()
		require.InDelta(t, 4, inspect(t, eng, "k").Limits[0].Available, 1e-9)
		require.InDelta(t, 4, inspect(t, eng, "other").Limits[0].Available, 1e-9)
		require.ElementsMatch(t, []string{"k", "other"}, slices.Collect(eng.Keys()))
	})
}

func TestInspectDoesNotKeepAKey(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Second), IdleAfter: time.Minute}, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		for range 10 {
			time.Sleep(10 * time.Second)
			eng.Inspect("k")
		}
		_, known := eng.Inspect("k")
		require.False(t, known, "asking is not using")
	})
}

// A clean key is inspected at its gate, without an actor.
func TestAHealthyKeyIsInspectedWithoutItsActor(t *testing.T) {
	eng := start(t, engine.Config{Breaker: opensAfter(2), Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(1, time.Hour)}})
	require.NoError(t, eng.Run(t.Context(), "k", succeed))
	s, known := eng.Inspect("k")
	require.True(t, known)
	require.InDelta(t, 4, s.Limits[0].Available, 0.01)
	require.Zero(t, eng.Stats().Actors)

	failTimes(t, eng, "k", 1)
	s, _ = eng.Inspect("k")
	require.Equal(t, 1, s.Failures, "and where it does not, the actor is asked")
}

func TestResetAllWakesNobodyForLong(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 1000*time.Hour)}, IdleAfter: time.Minute}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		for i := range 100 {
			require.True(t, eng.Allow(fmt.Sprint(i)))
		}
		time.Sleep(time.Hour)
		require.Equal(t, engine.Stats{Keys: 100, Admitted: 100}, eng.Stats())
		eng.ResetAll()
		time.Sleep(10 * time.Second)
		require.Zero(t, eng.Stats().Actors, "an order to all keys is no use of them")
	})
}
