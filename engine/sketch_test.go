package engine_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestNoKeyMeetsTheBreakerOfAnother: however many keys have failed and had to go, the breaker of one that never was is closed, and the
// latest that failed are found open.
func TestNoKeyMeetsTheBreakerOfAnother(t *testing.T) {
	const fresh = 2_000
	failing := 100 * churn
	synctest.Test(t, func(t *testing.T) {
		eng := start(t, engine.Config{Breaker: opensAfter(1), MaxKeys: 1_000})
		for i := range failing {
			require.ErrorIs(t, eng.Run(t.Context(), fmt.Sprint("failing ", i), fail), errDown)
		}
		require.GreaterOrEqual(t, eng.Stats().Spilled, uint64(failing-1_000))
		refused := 0
		for i := range fresh {
			if eng.Run(t.Context(), fmt.Sprint("fresh ", i), succeed) != nil {
				refused++
			}
		}
		require.Zero(t, refused, "of %d fresh keys so many met an open breaker", fresh)
		for i := failing - 2_000; i < failing; i++ {
			rejected(t, eng.Run(t.Context(), fmt.Sprint("failing ", i), succeed), breaker.ErrOpen)
		}
	})
}

// TestASpilledBreakerThatRecoveredIsClosed, also when its key goes and comes back once more.
func TestASpilledBreakerThatRecoveredIsClosed(t *testing.T) {
	eachDispatch(t, tight(), func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		pushOut(t, eng, "k")
		time.Sleep(5 * time.Second)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		require.True(t, eng.AllowN("k", 5))
		pushOut(t, eng, "k")
		require.True(t, eng.Allow("k"), "it is back")
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
	})
}

// TestSketchLoadShowsHowFullTheSketchIs: nothing at first, a share of the cells that grows with the keys that went, and nothing
// again when their instants have come.
func TestSketchLoadShowsHowFullTheSketchIs(t *testing.T) {
	bucket := limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Minute)}
	for name, l := range map[string]limiter.Limiter{
		"one limit": bucket,
		"several":   limiter.All(limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1e9)}, bucket),
	} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, engine.Config{Limiter: l, MaxKeys: 100}, func(t *testing.T, eng *engine.Engine) {
				require.Zero(t, eng.Stats().SketchLoad)
				const keys = 10_100
				for i := range keys {
					require.NotPanics(t, func() { eng.AllowN(fmt.Sprint(i), 10) })
				}
				require.InDelta(t, 0.142, eng.Stats().SketchLoad, 0.04, "1 - exp(-10,000 / 65,536)")
				time.Sleep(10*time.Minute - 1)
				require.InDelta(t, 0.142, eng.Stats().SketchLoad, 0.04)
				time.Sleep(time.Nanosecond)
				require.Zero(t, eng.Stats().SketchLoad)
			})
		})
	}
}
