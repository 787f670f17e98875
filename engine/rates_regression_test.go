package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock/clocktest"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestEveryCallOfAChainBeginsASlice, also of a key without a limit, and of a key that lets the call pass after a wait for another. Such a
// success stayed in the slice of an earlier call, and left the window before its time.
func TestEveryCallOfAChainBeginsASlice(t *testing.T) {
	eachDispatchMock(t, engine.Config{Breaker: &breaker.Policy{SlowRate: 0.5, SlowAfter: time.Hour}},
		func(t *testing.T, m *clocktest.Mock, eng *engine.Engine) {
			other := start(t, engine.Config{Clock: m, Dispatch: eng.Config().Dispatch, Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 5*time.Second)}})
			wide := engine.Chain(other.Key("x"), eng.Key("k"))
			require.NoError(t, eng.Run(t.Context(), "k", succeed))
			m.Advance(5 * time.Second)
			require.NoError(t, wide.Run(t.Context(), succeed))
			m.Advance(5500 * time.Millisecond)
			synctest.Wait()
			require.Equal(t, breaker.Counts{Calls: 1}, inspect(t, eng, "k").Window, "the second call")
			require.True(t, other.Allow("x"))
			waits := inBackground(func() error { return wide.Run(t.Context(), succeed) })
			synctest.Wait()
			m.Advance(5 * time.Second)
			require.NoError(t, <-waits)
			m.Advance(9 * time.Second)
			synctest.Wait()
			require.Equal(t, breaker.Counts{Calls: 1}, inspect(t, eng, "k").Window, "the third call, by its admission")
		})
}

// TestAPanicMayBeSlow: a call that panics takes time, too. A call that its key's gate had let through was never slow then.
func TestAPanicMayBeSlow(t *testing.T) {
	cfg := engine.Config{Breaker: &breaker.Policy{SlowRate: 0.5, SlowAfter: time.Second}}
	eachDispatchMock(t, cfg, func(t *testing.T, m *clocktest.Mock, eng *engine.Engine) {
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		for range 2 {
			require.Panics(t, func() {
				_ = eng.Run(t.Context(), "k", func(context.Context) error { m.Advance(time.Second); panic("no") })
			})
		}
		require.Equal(t, breaker.Counts{Calls: 3, Failures: 2, Slow: 2}, inspect(t, eng, "k").Window)
		require.Equal(t, uint64(2), eng.Stats().Slow)
	})
}
