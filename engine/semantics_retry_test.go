package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// The rows of "Semantics" in docs/design.md that are about trying again.

func TestRowRetry(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		calls int
		took  time.Duration
		same  bool // the error comes back as it is
	}{
		{"an ordinary error is retried", errDown, 5, 4 * time.Second, false},
		{"a timeout while the caller's context lives is ordinary", context.DeadlineExceeded, 5, 4 * time.Second, false},
		{"a permanent error is not", retry.Permanent(errDown), 1, 0, true},
		{"advice is a floor", retry.After(errDown, 2*time.Second), 5, 8 * time.Second, false},
		{"advice above MaxDelay: give up now", retry.After(errDown, time.Minute), 1, 0, false},
		{"our own rejection is not retried", &engine.Rejection{Key: "other", Err: limiter.ErrLimited}, 1, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDispatch(t, engine.Config{Retry: everySecond, Breaker: opensAfter(9)}, func(t *testing.T, eng *engine.Engine) {
				var calls int
				start := time.Now()
				err := eng.Run(t.Context(), "k", failing(&calls, c.err))
				require.Equal(t, c.calls, calls)
				require.Equal(t, c.took, time.Since(start), "never a sleep after the last failure")
				exhausted, isExhausted := errors.AsType[*retry.ExhaustedError](err)
				require.Equal(t, !c.same, isExhausted)
				if isExhausted {
					require.Equal(t, c.calls, exhausted.Attempts)
				}
				if want := retry.Strip(c.err); c.same {
					require.True(t, err == want, "%v is not %v itself", err, want)
				} else {
					require.ErrorIs(t, err, want)
				}
			})
		})
	}
}

func TestRowRetryNotIntoADeadDeadline(t *testing.T) {
	eachDispatch(t, engine.Config{Retry: everySecond}, func(t *testing.T, eng *engine.Engine) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		var calls int
		start := time.Now()
		err := eng.Run(ctx, "k", failing(&calls, errDown))
		exhausted, ok := errors.AsType[*retry.ExhaustedError](err)
		require.True(t, ok)
		require.Equal(t, 3, exhausted.Attempts)
		require.Equal(t, 2*time.Second, time.Since(start), "it gives up instead of sleeping into the deadline")
	})
}

func TestRowMaxElapsed(t *testing.T) {
	policy := *everySecond
	policy.MaxElapsed = 2500 * time.Millisecond
	eachDispatch(t, engine.Config{Retry: &policy}, func(t *testing.T, eng *engine.Engine) {
		var calls int
		require.ErrorIs(t, eng.Run(t.Context(), "k", failing(&calls, errDown)), errDown)
		require.Equal(t, 3, calls)
	})
}

func TestRowRetryNotOnceTheCallersContextIsDone(t *testing.T) {
	eachDispatch(t, engine.Config{Retry: everySecond}, func(t *testing.T, eng *engine.Engine) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		err := eng.Run(ctx, "k", func(context.Context) error { calls++; cancel(); return errDown })
		require.True(t, err == errDown)
		require.Equal(t, 1, calls)
	})
}

func TestRowRetryCancelledDuringTheBackoff(t *testing.T) {
	eachDispatch(t, engine.Config{Retry: everySecond}, func(t *testing.T, eng *engine.Engine) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(1500*time.Millisecond, cancel)
		var calls int
		err := eng.Run(ctx, "k", failing(&calls, errDown))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, errDown)
		require.Equal(t, 2, calls)
	})
}

func TestRowBreakerOpensDuringRetries(t *testing.T) {
	eachDispatch(t, engine.Config{Retry: everySecond, Breaker: opensAfter(2)}, func(t *testing.T, eng *engine.Engine) {
		var calls int
		start := time.Now()
		err := eng.Run(t.Context(), "k", failing(&calls, errDown))
		r := rejected(t, err, breaker.ErrOpen)
		require.ErrorIs(t, err, errDown, "and the last real error")
		require.Equal(t, 5*time.Second, r.RetryAfter())
		require.Equal(t, 2, calls)
		require.Equal(t, time.Second, time.Since(start), "no backoff is slept for nothing")
	})
}

func TestRowBreakerOpensDuringRetriesAndRecoversWithinTheBackoff(t *testing.T) {
	cfg := engine.Config{Retry: everySecond, Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Second}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		calls := 0
		require.NoError(t, eng.Run(t.Context(), "k", func(context.Context) error {
			if calls++; calls < 3 {
				return errDown
			}
			return nil
		}))
		require.Equal(t, 3, calls, "each attempt came when the breaker let a probe through")
	})
}

func TestRowBreakerOpensDuringRetriesByOthers(t *testing.T) {
	eachDispatch(t, engine.Config{Retry: everySecond, Breaker: opensAfter(2)}, func(t *testing.T, eng *engine.Engine) {
		time.AfterFunc(500*time.Millisecond, func() { _ = eng.Run(context.Background(), "k", fail) })
		var calls int
		err := eng.Run(t.Context(), "k", failing(&calls, errDown))
		rejected(t, err, breaker.ErrOpen)
		require.ErrorIs(t, err, errDown)
		require.Equal(t, 1, calls)
	})
}
