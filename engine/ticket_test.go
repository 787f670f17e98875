package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// TestATicketKnowsWhetherItIsAProbes: only the one that a half-open breaker waits for, also when
// the breaker has moved on.
func TestATicketKnowsWhetherItIsAProbes(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Minute}}, func(t *testing.T, eng *engine.Engine) {
		admit := func(ctx context.Context) *engine.Ticket {
			ticket, err := eng.Admit(ctx, "k")
			require.NoError(t, err)
			return ticket
		}
		before := admit(t.Context())
		require.False(t, before.Probe(), "the breaker is closed")
		failTimes(t, eng, "k", 1)
		time.Sleep(time.Minute)
		probe := admit(t.Context())
		require.True(t, probe.Probe())
		require.False(t, before.Probe(), "it was let through before the trip")
		probe.Done(errDown)
		require.True(t, probe.Probe())
		time.Sleep(time.Minute)

		require.NoError(t, eng.Run(t.Context(), "k", func(ctx context.Context) error {
			under := admit(ctx)
			require.False(t, under.Probe(), "it is the function's call that is the probe")
			under.Done(nil)
			return nil
		}))
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
		after := admit(t.Context())
		require.False(t, after.Probe())
		after.Done(nil)
		before.Done(nil)
	})
}

// TestATicketWithoutABreakerIsNoProbes.
func TestATicketWithoutABreakerIsNoProbes(t *testing.T) {
	ticket, err := start(t, engine.Config{}).Admit(t.Context(), "k")
	require.NoError(t, err)
	require.False(t, ticket.Probe())
	ticket.Done(nil)
}
