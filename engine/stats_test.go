package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

func TestGaugesOfStats(t *testing.T) {
	cfg := engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(1)},
		Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Minute, HalfOpenSuccesses: 2},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("busy"))
		var callers sync.WaitGroup
		for range 3 {
			callers.Go(func() { _ = eng.Acquire(t.Context(), "busy") })
		}
		ctx, leave := context.WithCancel(t.Context())
		callers.Go(func() { _ = eng.Acquire(ctx, "busy") })
		synctest.Wait()
		require.Equal(t, 4, eng.Stats().Waiting)
		leave()
		synctest.Wait()
		require.Equal(t, 3, eng.Stats().Waiting)
		require.Equal(t, uint64(1), eng.Stats().GaveUp)
		callers.Wait()
		require.Zero(t, eng.Stats().Waiting)

		gauges := func() [2]int {
			synctest.Wait() // a report in a mailbox
			s := eng.Stats()
			return [2]int{s.OpenKeys, s.HalfOpenKeys}
		}
		for i := range 3 {
			failTimes(t, eng, fmt.Sprint(i), 1)
		}
		require.Equal(t, [2]int{3, 0}, gauges())
		time.Sleep(time.Minute)
		require.NoError(t, eng.Run(t.Context(), "0", succeed))
		require.Equal(t, [2]int{2, 1}, gauges(), "one more probe is needed")
		require.NoError(t, eng.Run(t.Context(), "0", succeed))
		require.Equal(t, [2]int{2, 0}, gauges())
		eng.Reset("1")
		require.Equal(t, [2]int{1, 0}, gauges())
		time.Sleep(24 * time.Hour)
		require.Zero(t, eng.Stats().Keys)
		require.Equal(t, [2]int{}, gauges(), "what is forgotten is not open")
	})
}

func TestASpilledOpenKeyIsNotOpenUntilItIsBack(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), MaxKeys: 1}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "a", 1)
		synctest.Wait()
		require.Equal(t, 1, eng.Stats().OpenKeys)
		require.NoError(t, eng.Run(t.Context(), "b", succeed))
		require.Zero(t, eng.Stats().OpenKeys)
		rejected(t, eng.Run(t.Context(), "a", succeed), breaker.ErrOpen)
		require.Equal(t, 1, eng.Stats().OpenKeys)
	})
}
