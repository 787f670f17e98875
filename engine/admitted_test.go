package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
)

// stopClock is the system's clock, whose readings wait while the clock is stopped.
type stopClock struct {
	clock.Clock
	run chan struct{} // closed while the clock runs
}

func (c *stopClock) Now() time.Time {
	<-c.run
	return c.Clock.Now()
}

// TestASuccessIsNotDroppedWhileATurnMayCountAFailure stops a turn that counts a failure. The success of
// another call comes meanwhile, and must end the row of failures.
func TestASuccessIsNotDroppedWhileATurnMayCountAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, stopped := make(chan struct{}), make(chan struct{})
		close(running)
		c := &stopClock{clock.System(), running}
		e, err := engine.New(engine.Config{Breaker: &breaker.Policy{FailureThreshold: 2}, Clock: c})
		require.NoError(t, err)
		defer func() { require.NoError(t, e.Close(context.Background())) }()
		failed, err := e.Admit(t.Context(), "a")
		require.NoError(t, err)
		good, err := e.Admit(t.Context(), "a")
		require.NoError(t, err)
		c.run = stopped
		go failed.Done(errDown)
		synctest.Wait() // the turn has begun, and waits for the clock
		good.Done(nil)
		close(stopped)
		synctest.Wait()
		s, known := e.Inspect("a")
		require.True(t, known)
		require.Zero(t, s.Failures, "the success was dropped")
	})
}
