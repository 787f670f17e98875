package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/clock/clocktest"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
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

// endingClock is the system's clock. It ends a context when it is read for the last time that is left.
type endingClock struct {
	clock.Clock
	left atomic.Int64
	end  atomic.Pointer[context.CancelFunc]
}

func (c *endingClock) Now() time.Time {
	if c.left.Add(-1) == 0 {
		(*c.end.Load())()
	}
	return c.Clock.Now()
}

// TestNoCallBeginsWhoseContextEndsWhileTheClockIsRead: where slow calls are judged, the clock was read after the last look at the context.
func TestNoCallBeginsWhoseContextEndsWhileTheClockIsRead(t *testing.T) {
	for name, cfg := range map[string]engine.Config{
		"alone":   {},
		"PerCall": {PerCall: true},
		"Retry":   {Retry: &retry.Policy{BaseDelay: time.Second, MaxElapsed: time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			c := &endingClock{Clock: clock.System()}
			cfg.Clock, cfg.Breaker = c, &breaker.Policy{SlowRate: 1, SlowAfter: time.Hour, MinCalls: 1000}
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				other := start(t, engine.Config{Clock: c, Dispatch: cfg.Dispatch})
				for after := int64(1); after < 40; after++ {
					for _, k := range []engine.Key{eng.Key("k"), eng.Key("k").Within(time.Minute), engine.Chain(other.Key("x"), eng.Key("k"))} {
						ctx, cancel := context.WithCancel(t.Context())
						synctest.Wait() // no actor reads the clock any more for the call before
						c.end.Store(&cancel)
						c.left.Store(after)
						_ = k.Run(ctx, func(context.Context) error {
							require.NoError(t, ctx.Err(), "after %d readings", after)
							return errDown
						})
						synctest.Wait()
						if ticket, err := k.Admit(ctx); err == nil {
							require.NoError(t, ctx.Err(), "ticket, after %d readings", after)
							ticket.Done(nil)
						}
						cancel()
					}
				}
			})
		})
	}
}

// TestACallOfAChainBeginsASliceAlthoughTheLookAsksTheActor: the call then has no reading of the clock from its look at the key.
func TestACallOfAChainBeginsASliceAlthoughTheLookAsksTheActor(t *testing.T) {
	eachDispatchMock(t, engine.Config{Breaker: &breaker.Policy{SlowRate: 0.5, SlowAfter: time.Hour, FailureThreshold: 1 << 30}},
		func(t *testing.T, m *clocktest.Mock, eng *engine.Engine) {
			wide := engine.Chain(start(t, engine.Config{Clock: m, Dispatch: eng.Config().Dispatch}).Key("x"), eng.Key("k"))
			require.NoError(t, eng.Run(t.Context(), "k", succeed))
			synctest.Wait()
			m.Advance(5 * time.Second)
			cfg := eng.Config()
			cfg.Breaker.FailureThreshold++
			require.NoError(t, eng.Reconfigure(cfg)) // a look finds that the key follows the policy before
			require.NoError(t, wide.Run(t.Context(), succeed))
			m.Advance(5500 * time.Millisecond)
			synctest.Wait()
			require.Equal(t, breaker.Counts{Calls: 1}, inspect(t, eng, "k").Window)
		})
}

// TestACallThatWaitsForAnotherKeyBeginsNoSlice: it has taken its token of the key, and has not been let through.
func TestACallThatWaitsForAnotherKeyBeginsNoSlice(t *testing.T) {
	cfg := engine.Config{
		Breaker: &breaker.Policy{SlowRate: 0.5, SlowAfter: time.Hour}, Limiter: limiter.TokenBucket{Capacity: 9, RefillRate: limiter.Per(1, time.Second)},
	}
	eachDispatchMock(t, cfg, func(t *testing.T, m *clocktest.Mock, eng *engine.Engine) {
		other := start(t, engine.Config{Clock: m, Limiter: oneEvery(time.Hour)})
		require.True(t, other.Allow("x"))
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		long, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		m.Advance(5 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		waits := inBackground(func() error { return engine.Chain(eng.Key("k"), other.Key("x")).Run(ctx, succeed) })
		synctest.Wait()
		require.Equal(t, 1, other.Stats().Waiting)
		cancel()
		require.ErrorIs(t, <-waits, context.Canceled)
		long.Done(nil)
		synctest.Wait()
		require.Equal(t, breaker.Counts{Calls: 2}, inspect(t, eng, "k").Window)
		m.Advance(5500 * time.Millisecond)
		require.Zero(t, inspect(t, eng, "k").Window, "both are in the slice of their admission")
	})
}
