package engine

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestAProbeThatHadToQueueHasALeaseToo: the actor has to wake at the end of the lease of a probe that it let through from the line. Without
// that a probe that never comes back leaves a key that is never forgotten and never spilled.
func TestAProbeThatHadToQueueHasALeaseToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(Config{
			Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Second, ProbeTimeout: time.Second, ForgetAfter: time.Minute},
			Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 10*time.Second)},
			MaxKeys: 1,
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, e.Close(context.Background())) }()
		down := errors.New("down")
		require.ErrorIs(t, e.Run(t.Context(), "a", func(context.Context) error { return down }), down)
		time.Sleep(2 * time.Second)
		_, err = e.Admit(t.Context(), "a") // queues for eight seconds, is then a probe, and never comes back
		require.NoError(t, err)
		time.Sleep(time.Hour)
		require.NoError(t, e.Run(t.Context(), "b", func(context.Context) error { return nil }))
	})
}

// TestAResetHoldsAlthoughTheKeyWasSpilledInTheMidstOfIt has others come between the two steps of Reset: they spill the key, it comes
// back, and is then reset. What it had spilled must not count when it is forgotten and comes once more.
func TestAResetHoldsAlthoughTheKeyWasSpilledInTheMidstOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(Config{Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}, MaxKeys: 1})
		require.NoError(t, err)
		defer func() { require.NoError(t, e.Close(context.Background())) }()
		require.True(t, e.Allow("a"))
		e.behavior.Pardon("a") // the first step
		require.True(t, e.Allow("b"))
		require.False(t, e.Allow("a"), "it is back, and has no more than it left with")
		require.NoError(t, e.toKnown("a", guard.Reset, nil)) // the second
		require.False(t, e.Allow("b"))
		require.True(t, e.Allow("a"))
	})
}

// TestAResetWaitsForWhatIsBeingBornOrSpilled: a birth reads what is remembered of the key, and makes it known a moment later; a spill writes that
// down, and has the key go a moment later. A reset in between would miss it.
func TestAResetWaitsForWhatIsBeingBornOrSpilled(t *testing.T) {
	for name, reset := range map[string]func(e *Engine){
		"Reset":    func(e *Engine) { e.Reset("a") },
		"ResetAll": (*Engine).ResetAll,
	} {
		t.Run(name, func(t *testing.T) {
			e, err := New(Config{Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}, MaxKeys: 1})
			require.NoError(t, err)
			defer func() { require.NoError(t, e.Close(context.Background())) }()
			require.True(t, e.Allow("a"))
			require.True(t, e.Allow("b"), "a is spilled")
			over := make(chan struct{})
			e.system.Still(func() { // as births and spills do
				go func() {
					reset(e)
					close(over)
				}()
				for range 1000 {
					runtime.Gosched()
				}
				select {
				case <-over:
					t.Error("the reset did not wait")
				default:
				}
			})
			<-over
			require.True(t, e.Allow("a"))
		})
	}
}

// TestACallPassesInsideAProbeThatQueued: a probe that had to queue is answered before its turn has posted anything, so that its function
// may still find the refusal of the open breaker, whose time is up.
func TestACallPassesInsideAProbeThatQueued(t *testing.T) {
	e, err := New(Config{Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: 1}})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close(context.Background())) }()
	down := errors.New("down")
	require.ErrorIs(t, e.Run(context.Background(), "a", func(context.Context) error { return down }), down)
	c, known := e.system.Find("a")
	require.True(t, known)
	g := &c.Published
	expired := g.Posted()
	require.True(t, expired.Refuses())
	require.NoError(t, e.Run(context.Background(), "a", func(ctx context.Context) error {
		defer g.Swap(g.Swap(expired))
		return e.Run(ctx, "a", func(context.Context) error { return nil })
	}))
}
