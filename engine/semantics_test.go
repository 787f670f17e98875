package engine_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// The tests in this file are the rows of the table "Semantics" in docs/design.md, one or more for each; the name
// of a test is the name of its row.

func TestRowOrder(t *testing.T) {
	cfg := engine.Config{
		Breaker: opensAfter(2),
		Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(1, time.Hour)},
		Retry:   &retry.Policy{MaxAttempts: 5, BaseDelay: time.Millisecond, Jitter: retry.NoJitter},
		MaxWait: engine.NoWait,
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		// Every attempt takes a token and is counted by the breaker: after two attempts it is open, with two tokens gone.
		err := eng.Run(t.Context(), "k", fail)
		rejected(t, err, breaker.ErrOpen)
		require.InDelta(t, 3, inspect(t, eng, "k").Limits[0].Available, 0.01)

		// The breaker comes before the limiter: an open one takes no token.
		rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		require.InDelta(t, 3, inspect(t, eng, "k").Limits[0].Available, 0.01)
	})
}

func TestRowOrderARefusalByTheLimiterHoldsNoProbe(t *testing.T) {
	cfg := engine.Config{
		Breaker: opensAfter(1),
		Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 20*time.Second)},
		MaxWait: engine.NoWait,
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		time.Sleep(5 * time.Second) // half-open, and no token for another 15 s
		for range 3 {
			r := rejected(t, eng.Run(t.Context(), "k", succeed), limiter.ErrLimited)
			require.Equal(t, 15*time.Second, r.RetryAfter())
		}
		time.Sleep(15 * time.Second)
		require.NoError(t, eng.Run(t.Context(), "k", succeed), "a probe's place must be free")
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
	})
}

func TestRowTheBreakerIsPerKey(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(2), Limiter: oneEvery(time.Nanosecond)}, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "bad", 2)
		rejected(t, eng.Run(t.Context(), "bad", succeed), breaker.ErrOpen)
		require.NoError(t, eng.Run(t.Context(), "good", succeed))
		require.Equal(t, breaker.Closed, inspect(t, eng, "good").Breaker)
	})
}

func TestRowBreakerChangesWhileACallQueues(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Minute)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		ticket, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		require.NoError(t, eng.Acquire(t.Context(), "k"))
		first := inBackground(func() error { return eng.Run(t.Context(), "k", succeed) })
		acquire := inBackground(func() error { return eng.Acquire(t.Context(), "k") })
		second := inBackground(func() error { _, err := eng.Admit(t.Context(), "k"); return err })
		synctest.Wait()
		require.Equal(t, 3, inspect(t, eng, "k").Waiting)

		start := time.Now()
		ticket.Done(errDown) // the breaker opens
		for _, waiter := range []<-chan error{first, second} {
			require.Equal(t, 2*time.Minute, rejected(t, <-waiter, breaker.ErrOpen).RetryAfter(), "the breaker lets it pass after 5 s, the limiter later")
		}
		require.Zero(t, time.Since(start), "those that wait for the breaker too are failed at once")

		require.NoError(t, <-acquire, "a wait for the limiter alone goes on")
		require.Equal(t, time.Minute, time.Since(start), "and moves up to the first place")
	})
}

func TestRowBreakerChangesWhileACallQueuesIsDecidedAgainAtGrant(t *testing.T) {
	cfg := engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 1, ProbeTimeout: time.Hour},
		Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 10*time.Second)},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		time.Sleep(6 * time.Second) // half-open; the next tokens come in 4 s and 14 s
		probe := make(chan struct{})
		first := inBackground(func() error {
			return eng.Run(t.Context(), "k", func(context.Context) error { <-probe; return nil })
		})
		synctest.Wait()
		second := inBackground(func() error { return eng.Run(t.Context(), "k", succeed) })
		synctest.Wait()
		require.Equal(t, 2, inspect(t, eng, "k").Waiting, "a call that queues holds no probe's place")
		time.Sleep(14 * time.Second)
		rejected(t, <-second, breaker.ErrOpen) // the only place is taken by the first
		require.InDelta(t, 1, inspect(t, eng, "k").Limits[0].Available, 0.01, "no token was taken for it")
		close(probe)
		require.NoError(t, <-first)
	})
}

func TestRowWhenIsTheOutcomeRecorded(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(5), Limiter: oneEvery(time.Nanosecond)}
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		cfg.Dispatch = d
		eng := start(t, cfg) // in real time: what counts is that no message is overtaken
		for i := range 300 {
			key := fmt.Sprint("tenant-", i)
			failTimes(t, eng, key, 5)
			called := false
			err := eng.Run(t.Context(), key, func(context.Context) error { called = true; return nil })
			require.ErrorIs(t, err, breaker.ErrOpen)
			require.False(t, called)
		}
	}
}

func TestRowNBelowOne(t *testing.T) {
	for name, cfg := range map[string]engine.Config{
		"with a limiter":    {Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(1, time.Hour)}},
		"without a limiter": {Breaker: opensAfter(5)},
	} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				eng.Allow("k")
				for _, n := range []int{0, -1, -1 << 31} {
					require.False(t, eng.AllowN("k", n))
					err := eng.AcquireN(t.Context(), "k", n)
					c, ok := errors.AsType[*engine.ConfigError](err)
					require.True(t, ok)
					require.Equal(t, "n", c.Field)
					require.Equal(t, n, c.Value)
				}
				if cfg.Limiter != nil {
					require.InDelta(t, 9, inspect(t, eng, "k").Limits[0].Available, 0.01, "nothing is drawn")
				}
			})
		})
	}
}

func TestRowHalfOpen(t *testing.T) {
	ways := map[string]func(context.Context) error{
		"ok":     succeed,
		"fail":   fail,
		"panic":  func(context.Context) error { panic("probe") },
		"goexit": func(context.Context) error { runtime.Goexit(); return nil },
		"hang":   func(ctx context.Context) error { time.Sleep(time.Hour); return nil },
		"ignore": func(context.Context) error { return context.Canceled },
	}
	cfg := engine.Config{
		IdleAfter: 100 * time.Hour,
		Breaker:   &breaker.Policy{FailureThreshold: 1, HalfOpenProbes: 2, ForgetAfter: 10 * time.Hour},
		Classify: func(err error) engine.Outcome {
			return map[bool]engine.Outcome{true: engine.Ignore, false: engine.Failure}[err == context.Canceled]
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				failTimes(t, eng, "k", 1)
				time.Sleep(5 * time.Second)
				for range 2 { // both places
					go func() {
						defer func() { _ = recover() }()
						_ = eng.Run(context.Background(), "k", way)
					}()
				}
				synctest.Wait()
				if name == "hang" {
					r := rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
					require.Equal(t, 35*time.Second, r.RetryAfter(), "the lease and the recovery after it")
					require.Equal(t, r.RetryAfter(), inspect(t, eng, "k").OpenFor)
				}
				time.Sleep(35 * time.Second) // the default lease and the recovery
				require.NoError(t, eng.Run(t.Context(), "k", succeed), "nothing may wedge the key")
				require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
				time.Sleep(time.Hour) // what hangs comes back late, and counts for nothing
				require.Zero(t, inspect(t, eng, "k").Failures)
			})
		})
	}
}

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

func TestRowOutcomeOfAnError(t *testing.T) {
	for _, c := range []struct {
		name     string
		classify func(error) engine.Outcome
		call     func(ctx context.Context, t *testing.T, eng *engine.Engine)
		failures int
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
	} {
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

func TestRowPanicOfClassifyIsAFailureToo(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(9), Classify: func(error) engine.Outcome { panic("classify") }}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.PanicsWithValue(t, "classify", func() { _ = eng.Run(t.Context(), "k", fail) })
		require.Equal(t, 1, inspect(t, eng, "k").Failures)
	})
}
