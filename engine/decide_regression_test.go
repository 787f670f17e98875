package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
)

// A deadline further away than a time.Duration reaches bounds nothing. (Such a deadline used to
// refuse every wait.)
func TestADeadlineInTheFarFuture(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Second)}, func(t *testing.T, eng *engine.Engine) {
		ctx, cancel := context.WithDeadline(t.Context(), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
		defer cancel()
		for range 3 {
			require.NoError(t, eng.Acquire(ctx, "k"))
		}
	})
}

// panicking is a clock that panics once on demand.
type panicking struct {
	clock.Clock
	now atomic.Bool
}

func (p *panicking) Now() time.Time {
	if p.now.CompareAndSwap(true, false) {
		panic("clock")
	}
	return p.Clock.Now()
}

// ending is a context that ends just after its Err was called.
type ending struct {
	context.Context
	asked bool
}

func (e *ending) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

func (e *ending) Err() error {
	if !e.asked {
		e.asked = true
		return nil
	}
	return context.Canceled
}

// A clock that panics in a turn costs the waiters their slots in the queue, and nothing else. The
// key works on, and so do the requests that were answered with the panic. (The requests used to
// keep their slots in a queue that was gone.)
func TestAKeyWorksOnAfterAPanicInATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &panicking{Clock: clock.System()}
		// The clock is hidden in a struct without Nanos, so that the engine reads Now.
		eng := start(t, engine.Config{Dispatch: engine.Mailbox, Clock: struct{ clock.Clock }{c}, Limiter: oneEvery(time.Hour)})
		require.True(t, eng.Allow("k"))
		waiting := make(chan error, 64)
		for range cap(waiting) {
			go func() { waiting <- eng.Acquire(t.Context(), "k") }()
		}
		synctest.Wait()
		require.Equal(t, 64, inspect(t, eng, "k").Waiting)
		c.now.Store(true)
		require.False(t, eng.Allow("k"))
		for range cap(waiting) {
			require.ErrorContains(t, <-waiting, "panicked: clock")
		}
		for range 200 { // callers that have left before the actor sees the request
			require.ErrorIs(t, eng.Acquire(&ending{Context: t.Context()}, "k"), context.Canceled)
		}
		require.Zero(t, inspect(t, eng, "k").Waiting)
		require.EqualValues(t, 1, eng.Stats().Restarts)
		time.Sleep(time.Hour)
		require.True(t, eng.Allow("k"))
	})
}
