package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/retry"
)

// On a loaded machine the timer of a deadline is late: the deadline has passed when the call is
// granted, and Err is still nil.
func TestADeadlineThatHasPassedIsAnEnd(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Limiter: oneEvery(time.Second)}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		ctx := &passing{Context: t.Context(), deadline: time.Now().Add(2 * time.Second), moved: time.Now().Add(time.Second / 2)}
		err := eng.Run(ctx, "k", func(context.Context) error { t.Error("called"); return context.DeadlineExceeded })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
		require.InDelta(t, 1, inspect(t, eng, "k").Limits[0].Available, 1e-6, "the token comes back")
		require.Zero(t, eng.Stats().KeptSpent)
	})
}

// passing is a context whose deadline has passed from the instant moved on, without another sign of
// the end.
type passing struct {
	context.Context
	deadline, moved time.Time
}

func (p *passing) Deadline() (time.Time, bool) {
	if time.Now().After(p.moved) {
		return p.moved, true
	}
	return p.deadline, true
}

// Contexts that package context did not make: ended is ended.
func TestForeignContextsEnd(t *testing.T) {
	moved := errors.New("moved on")
	closed := make(chan struct{})
	close(closed)
	for name, ctx := range map[string]context.Context{
		"done without an error":   foreign{done: closed},
		"done with another error": foreign{done: closed, err: moved},
		"an error without done":   foreign{err: moved},
	} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, engine.Config{Limiter: oneEvery(time.Hour)}, func(t *testing.T, eng *engine.Engine) {
				require.True(t, eng.Allow("k"))
				for range 100 {
					require.Error(t, eng.Run(ctx, "k", func(context.Context) error { t.Error("called"); return nil }))
					require.Error(t, eng.Acquire(ctx, "k"))
					_, err := eng.Admit(ctx, "k")
					require.Error(t, err)
				}
				time.Sleep(time.Hour)
				require.True(t, eng.Allow("k"), "nothing was taken")
			})
		})
	}
}

// A foreign context that ends while the call waits ends the wait with an error, and does not let
// the call go on.
func TestForeignContextsEndAWait(t *testing.T) {
	for name, err := range map[string]error{"no error": nil, "another error": errors.New("moved on")} {
		t.Run(name, func(t *testing.T) {
			cfg := engine.Config{Limiter: oneEvery(time.Hour), Retry: &retry.Policy{MaxAttempts: 3, BaseDelay: time.Minute, Jitter: retry.NoJitter}}
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				require.True(t, eng.Allow("k"))
				for _, wait := range []func(ctx context.Context) error{
					func(ctx context.Context) error { return eng.Run(ctx, "k", succeed) },
					func(ctx context.Context) error { return eng.Acquire(ctx, "k") },
					func(ctx context.Context) error { _, err := eng.Admit(ctx, "k"); return err },
					func(ctx context.Context) error { eng.Reset("k"); return eng.Run(ctx, "k", fail) }, // in its backoff
				} {
					done := make(chan struct{})
					time.AfterFunc(time.Second, func() { close(done) })
					begin := time.Now()
					got := wait(foreign{done: done, err: err, late: begin.Add(time.Second)})
					require.Error(t, got)
					require.Equal(t, time.Second, time.Since(begin))
					if err != nil {
						require.ErrorIs(t, got, err)
					}
				}
			})
		})
	}
}

// foreign is a context that is not of package context.
type foreign struct {
	done <-chan struct{}
	err  error
	late time.Time // when there is an error
}

func (foreign) Deadline() (time.Time, bool) { return time.Time{}, false }

func (f foreign) Done() <-chan struct{} { return f.done }

func (foreign) Value(any) any { return nil }

func (f foreign) Err() error {
	if time.Now().Before(f.late) {
		return nil
	}
	return f.err
}

// Every error of a context that comes back holds the context's cause.
func TestErrorsOfContextsHoldTheirCause(t *testing.T) {
	cfg := engine.Config{Limiter: oneEvery(time.Hour), Retry: &retry.Policy{MaxAttempts: 3, BaseDelay: time.Minute, Jitter: retry.NoJitter}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		why := errors.New("shutting down")
		ended, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		require.True(t, eng.Allow("k"))
		for name, call := range map[string]func(ctx context.Context) error{
			"Run":     func(ctx context.Context) error { return eng.Run(ctx, "k", succeed) },
			"Acquire": func(ctx context.Context) error { return eng.Acquire(ctx, "k") },
			"Admit":   func(ctx context.Context) error { _, err := eng.Admit(ctx, "k"); return err },
			"Go": func(ctx context.Context) error {
				return (<-engine.Go(ctx, eng, "k", func(context.Context) (int, error) { return 0, nil })).Err
			},
			"backoff": func(ctx context.Context) error { eng.Reset("other"); return eng.Run(ctx, "other", fail) },
		} {
			if name != "backoff" {
				require.ErrorIs(t, call(ended), why, name)
				require.ErrorIs(t, call(ended), context.Canceled, name)
			}
			later, cancel := context.WithTimeoutCause(t.Context(), 2*time.Hour, why)
			waiting, stop := context.WithCancelCause(later)
			time.AfterFunc(time.Second, func() { stop(why) })
			err := call(waiting)
			require.ErrorIs(t, err, why, name)
			require.ErrorIs(t, err, context.Canceled, name)
			cancel()
		}
	})
}

var errSlow = errors.New("upstream is slow")

// endsAt is a context that has ended when Err is called for the looks-th time.
type endsAt struct {
	context.Context
	err   error
	looks int
}

func (c *endsAt) Err() error {
	if c.looks--; c.looks < 1 {
		return c.err
	}
	return nil
}
