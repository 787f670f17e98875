package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

func TestCloseWakesWhoeverWaits(t *testing.T) {
	cfg := engine.Config{Limiter: oneEvery(time.Hour), Breaker: opensAfter(9), Retry: everySecond}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		sleeping := inBackground(func() error { return eng.Run(t.Context(), "sleeping", fail) })
		require.True(t, eng.Allow("waiting"))
		waiting := inBackground(func() error { return eng.Acquire(t.Context(), "waiting") })
		running := make(chan struct{})
		inFlight := inBackground(func() error {
			return eng.Run(t.Context(), "in flight", func(context.Context) error { <-running; return nil })
		})
		synctest.Wait()

		begin := time.Now()
		require.NoError(t, eng.Close(t.Context()))
		rejected(t, <-waiting, engine.ErrClosed)
		err := <-sleeping
		rejected(t, err, engine.ErrClosed)
		require.ErrorIs(t, err, errDown, "joined with the last error")
		require.Zero(t, time.Since(begin), "it does not wait for functions of callers")
		require.Empty(t, inFlight)
		close(running)
		require.NoError(t, <-inFlight, "which run to their end")
	})
}

func TestAClosedEngineRefusesEverything(t *testing.T) {
	for name, cfg := range map[string]engine.Config{
		"guarded":   {Limiter: oneEvery(time.Second), Breaker: opensAfter(9), Retry: everySecond},
		"unguarded": {},
		"places":    {Concurrency: limiter.InFlight{Max: 1}},
		"limited":   {Breaker: opensAfter(9), AttemptTimeout: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				k := eng.Key("k")
				require.NoError(t, k.Run(t.Context(), succeed))
				ticket, err := eng.Admit(context.WithoutCancel(t.Context()), "other")
				require.NoError(t, err)
				require.NoError(t, eng.Close(t.Context()))
				require.NoError(t, eng.Close(t.Context()), "again")
				ticket.Done(errDown) // dropped
				require.False(t, eng.Allow("k"))
				require.False(t, k.Allow())
				rejected(t, eng.Acquire(t.Context(), "k"), engine.ErrClosed)
				rejected(t, k.Run(t.Context(), succeed), engine.ErrClosed)
				_, err = eng.Admit(t.Context(), "new")
				rejected(t, err, engine.ErrClosed)
				rejected(t, (<-engine.Go(t.Context(), eng, "k", func(context.Context) (int, error) { return 1, nil })).Err, engine.ErrClosed)
				_, known := eng.Inspect("k")
				require.False(t, known)
				eng.ResetAll()
				require.Zero(t, eng.Stats().Actors)
			})
		})
	}
}
