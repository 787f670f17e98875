package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// A call whose context ends between its grant and its function is nobody's failure: the function is not called.
func TestLatenessBeforeTheFunctionIsNotBlamedOnTheUpstream(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1)}}
	for name, cause := range map[string]error{"deadline": context.DeadlineExceeded, "cancelled": context.Canceled, "neither": errors.New("moved on")} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				for range 3 {
					ctx := &endsAt{Context: t.Context(), err: cause, looks: 2} // alive when the call comes
					err := eng.Run(ctx, "k", func(context.Context) error { t.Error("called"); return ctx.Err() })
					require.ErrorIs(t, err, cause)
				}
				require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
				require.InDelta(t, 7, inspect(t, eng, "k").Limits[0].Available, 1e-6, "the tokens stay spent")
				require.EqualValues(t, 3, eng.Stats().KeptSpent)
				ctx := &endsAt{Context: t.Context(), err: cause, looks: 2}
				_, err := eng.Admit(ctx, "k")
				require.ErrorIs(t, err, cause)
			})
		})
	}
}

// Such a call gives the place of its probe back.
func TestLatenessBeforeTheFunctionFreesTheProbe(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		time.Sleep(5 * time.Second)
		ctx := &endsAt{Context: t.Context(), err: context.DeadlineExceeded, looks: 2}
		require.ErrorIs(t, eng.Run(ctx, "k", fail), context.DeadlineExceeded)
		require.NoError(t, eng.Run(t.Context(), "k", succeed), "the probe's place is free, and nothing has failed")
	})
}

// The upstream never fails, callers are late: fifty goroutines ask for more than the limit, with deadlines of 20 to 60 ms.
func TestLateCallersDoNotOpenTheBreaker(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(5), Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(1000)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		var open atomic.Int64
		for i := range 50 {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			go func() { // ends after its calls
				for range 100 {
					// The deadline is the very instant of some grants: what is to run then is already late.
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(20+rng.IntN(41))*time.Millisecond)
					err := eng.Run(lagging{ctx}, "k", func(ctx context.Context) error { return ctx.Err() })
					if errors.Is(err, breaker.ErrOpen) {
						open.Add(1)
					}
					cancel()
				}
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Zero(t, open.Load())
	})
}

// The timer of a deadline is late on a loaded machine: the deadline has passed when the call is granted, and Err does not say so.
func TestADeadlineThatHasPassedIsAnEnd(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Limiter: oneEvery(time.Second)}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		ctx := &passing{Context: t.Context(), deadline: time.Now().Add(2 * time.Second), moved: time.Now().Add(time.Second / 2)}
		err := eng.Run(ctx, "k", func(context.Context) error { t.Error("called"); return context.DeadlineExceeded })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
		require.EqualValues(t, 1, eng.Stats().KeptSpent)
	})
}

// passing is a context whose deadline has passed from the instant moved on, without an end that could be seen otherwise.
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

// A call in another engine that ends before its function began says nothing about the upstream to the engine around it; nor does a
// refusal that comes when the time is up.
func TestLatenessInAnInnerEngineIsIgnored(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Second), MaxQueue: 1}, func(t *testing.T, inner *engine.Engine) {
		outer := start(t, engine.Config{Breaker: opensAfter(1)})
		require.True(t, inner.Allow("k"))
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second/2, func() { cancel(errSlow) })
		late := &deadlined{Context: ctx}
		err := outer.Run(late, "k", func(ctx context.Context) error { return inner.Run(ctx, "k", succeed) })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errSlow)
		require.Equal(t, breaker.Closed, inspect(t, outer, "k").Breaker)

		timed, stop := context.WithTimeout(t.Context(), time.Second/4)
		defer stop()
		err = outer.Run(timed, "k", func(ctx context.Context) error {
			err := inner.Key("k").NoWait().Run(ctx, succeed)
			time.Sleep(time.Second / 3)
			return err
		})
		rejected(t, err, limiter.ErrLimited)
		require.Equal(t, breaker.Closed, inspect(t, outer, "k").Breaker)
	})
}

// deadlined is a context that says of its end that it was a deadline.
type deadlined struct{ context.Context }

func (d *deadlined) Err() error {
	if d.Context.Err() != nil {
		return context.DeadlineExceeded
	}
	return nil
}

// When the deadline passes during the last attempt, the error holds the reason, too.
func TestAnExhaustedCallHoldsTheCauseOfItsDeadline(t *testing.T) {
	eachDispatch(t, engine.Config{Retry: &retry.Policy{BaseDelay: time.Second}}, func(t *testing.T, eng *engine.Engine) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errSlow)
		defer cancel()
		err := eng.Run(ctx, "k", func(context.Context) error { time.Sleep(2 * time.Second); return errDown })
		_, ok := errors.AsType[*retry.ExhaustedError](err)
		require.True(t, ok, "%v", err)
		for _, holds := range []error{errDown, errSlow, context.DeadlineExceeded} {
			require.ErrorIs(t, err, holds)
		}
	})
}

// lagging is a context whose deadline is a moment before the one that it names, as the lateness of a loaded machine makes it.
type lagging struct{ context.Context }

func (l lagging) Err() error {
	if err := l.Context.Err(); err != nil {
		return err
	}
	if deadline, _ := l.Deadline(); time.Until(deadline) <= 10*time.Millisecond {
		return context.DeadlineExceeded
	}
	return nil
}

// When the end of a backoff and that of the context fall together, there is no further attempt, and no token is taken.
func TestNoAttemptBeginsAfterItsCallerHasLeft(t *testing.T) {
	cfg := engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Hour)},
		Retry:   &retry.Policy{MaxAttempts: 2, BaseDelay: time.Second, Jitter: retry.NoJitter},
	}
	leaving := &leavingClock{Clock: clock.System()}
	cfg.Clock = leaving
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		for range 100 {
			eng.Reset("k")
			ctx, cancel := context.WithCancelCause(t.Context())
			leaving.leave = func() { cancel(errDown) }
			calls := 0
			err := eng.Run(ctx, "k", func(context.Context) error { calls++; return errSlow })
			require.Equal(t, 1, calls)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, errDown)
			require.ErrorIs(t, err, errSlow)
			require.InDelta(t, 9, inspect(t, eng, "k").Limits[0].Available, 0.1)
		}
	})
}

// leavingClock has the caller leave at the very instant at which its backoff ends.
type leavingClock struct {
	clock.Clock
	leave func()
}

func (c *leavingClock) NewTimer(d time.Duration) clock.Timer {
	if d != time.Second {
		return c.Clock.NewTimer(d)
	}
	c.leave()
	return c.Clock.NewTimer(0)
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

// A foreign context that ends while the call waits ends the wait with an error, and not with the leave to go on.
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

// A context whose error is neither of the two that package context knows has left, too: no attempt follows.
func TestNoAttemptFollowsAForeignEnd(t *testing.T) {
	cfg := engine.Config{Retry: &retry.Policy{MaxAttempts: 5, BaseDelay: time.Second}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		ctx, calls := &endsAt{Context: t.Context(), err: errors.New("moved on"), looks: 3}, 0
		require.ErrorIs(t, eng.Run(ctx, "k", func(context.Context) error { calls++; return errDown }), errDown)
		require.Equal(t, 1, calls)
	})
}

// Whatever error of a context comes back holds the context's cause.
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

// endsAt is a context that has ended when it is looked at for the looks-th time.
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

// foreign is a context that is not of package context.
type foreign struct {
	done <-chan struct{}
	err  error
	late time.Time // when there is an error
}

func (foreign) Deadline() (time.Time, bool) { return time.Time{}, false }
func (f foreign) Done() <-chan struct{}     { return f.done }
func (foreign) Value(any) any               { return nil }
func (f foreign) Err() error {
	if time.Now().Before(f.late) {
		return nil
	}
	return f.err
}
