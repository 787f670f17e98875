package engine_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/retry"
)

// The rows of "Semantics" in docs/design.md that are about the outcome of a call.

func TestRowALateResultFromAnEarlierState(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		var old []*engine.Ticket
		for range 4 {
			ticket, err := eng.Admit(t.Context(), "k")
			require.NoError(t, err)
			old = append(old, ticket)
		}
		failTimes(t, eng, "k", 1)
		old[0].Done(nil)
		require.Equal(t, breaker.Open, inspect(t, eng, "k").Breaker, "a success from before does not close it")
		time.Sleep(5 * time.Second)
		probe, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		old[1].Done(nil)
		old[2].Done(errDown)
		require.Equal(t, breaker.HalfOpen, inspect(t, eng, "k").Breaker, "neither closes nor reopens it")
		probe.Done(nil)
		old[3].Done(errDown)
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker, "nor opens the next one")
		probe.Done(errDown)
		require.Zero(t, inspect(t, eng, "k").Failures, "only the first Done counts")
	})
}

// outcomeRows has a row for each kind of a call's end. If Classify is nil, a failure is counted
// before the call, so that a success shows.
var outcomeRows = []struct {
	name     string
	classify func(error) engine.Outcome
	call     func(ctx context.Context, t *testing.T, eng *engine.Engine)
	failures int // that the breaker counts after the call
}{
	{"nil is a success", nil, func(ctx context.Context, t *testing.T, eng *engine.Engine) {
		_ = eng.Run(ctx, "k", succeed)
	}, 0},
	{"any error is a failure", nil, func(ctx context.Context, t *testing.T, eng *engine.Engine) {
		_ = eng.Run(ctx, "k", fail)
	}, 2},
	{"the caller's cancellation is ignored", nil, func(ctx context.Context, t *testing.T, eng *engine.Engine) {
		ctx, cancel := context.WithCancel(ctx)
		_ = eng.Run(ctx, "k", func(context.Context) error { cancel(); return errDown })
	}, 1},
	{"the caller's deadline is a failure", nil, func(ctx context.Context, t *testing.T, eng *engine.Engine) {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_ = eng.Run(ctx, "k", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	}, 2},
	{"a cancellation that is not the caller's is a failure", nil, func(ctx context.Context, t *testing.T, eng *engine.Engine) {
		_ = eng.Run(ctx, "k", func(context.Context) error { return context.Canceled })
	}, 2},
	{"a rejection of another engine is ignored", nil, func(ctx context.Context, t *testing.T, eng *engine.Engine) {
		inner := start(t, engine.Config{Limiter: oneEvery(time.Hour), MaxWait: engine.NoWait})
		require.True(t, inner.Allow("k"))
		_ = eng.Run(ctx, "k", func(ctx context.Context) error {
			return fmt.Errorf("inside: %w", inner.Acquire(ctx, "k"))
		})
	}, 1},
	{"Classify has the last word", func(error) engine.Outcome { return engine.Ignore }, func(ctx context.Context, t *testing.T, eng *engine.Engine) {
		_ = eng.Run(ctx, "k", fail)
	}, 0},
	{"Classify is not asked when the caller's context ended", func(error) engine.Outcome { panic("asked") }, func(ctx context.Context, t *testing.T, eng *engine.Engine) {
		ctx, cancel := context.WithCancel(ctx)
		_ = eng.Run(ctx, "k", func(context.Context) error { cancel(); return errDown })
	}, 0},
	{"Classify sees the error without the advice of retry", func(err error) engine.Outcome {
		if err == errDown {
			return engine.Ignore
		}
		return engine.Failure
	}, func(ctx context.Context, t *testing.T, eng *engine.Engine) {
		_ = eng.Run(ctx, "k", func(context.Context) error { return retry.Permanent(errDown) })
	}, 0},
}

func TestRowOutcomeOfAnError(t *testing.T) {
	for _, c := range outcomeRows {
		t.Run(c.name, func(t *testing.T) {
			eachDispatch(t, engine.Config{Breaker: opensAfter(9), Classify: c.classify}, func(t *testing.T, eng *engine.Engine) {
				if c.classify == nil {
					failTimes(t, eng, "k", 1) // so that a success shows
				} else {
					require.NoError(t, eng.Run(t.Context(), "k", succeed))
				}
				c.call(t.Context(), t, eng)
				require.Equal(t, c.failures, inspect(t, eng, "k").Failures)
			})
		})
	}
}

func TestRowPanicAndGoexit(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(9), Limiter: oneEvery(time.Nanosecond), Retry: &retry.Policy{}}, func(t *testing.T, eng *engine.Engine) {
		require.PanicsWithValue(t, "boom", func() {
			_ = eng.Run(t.Context(), "k", func(context.Context) error { panic("boom") })
		})
		require.Equal(t, 1, inspect(t, eng, "k").Failures)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = eng.Run(t.Context(), "k", func(context.Context) error { runtime.Goexit(); return nil })
		}()
		<-done
		require.Equal(t, 2, inspect(t, eng, "k").Failures, "counted once, and never tried again")
	})
}

func TestRowOutcomeOfAnErrorIfClassifyPanics(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(9), Classify: func(error) engine.Outcome { panic("classify") }}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.PanicsWithValue(t, "classify", func() { _ = eng.Run(t.Context(), "k", fail) })
		require.Equal(t, 1, inspect(t, eng, "k").Failures)
	})
}
