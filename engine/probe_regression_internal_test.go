package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// The actor wakes at the end of the lease of a probe that was admitted from the queue. Otherwise a
// probe that never comes back would leave a key that is never forgotten and never spilled.
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

// A probe that had to queue is answered before its turn has posted anything. So the probe's
// function may still find the refusal of the open breaker, although the refusal's time is up.
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
