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

// The tests in this file are the rows of the table "Semantics" in docs/design.md, one or more tests
// for each row. The name of a test begins with the name of its row.

func TestRowOrder(t *testing.T) {
	cfg := engine.Config{
		Breaker: opensAfter(2),
		Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(1, time.Hour)},
		Retry:   &retry.Policy{MaxAttempts: 5, BaseDelay: time.Millisecond, Jitter: retry.NoJitter},
		MaxWait: engine.NoWait,
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		// Every attempt takes a token, and the breaker counts every attempt: after two attempts the
		// breaker is open, and two tokens are gone.
		err := eng.Run(t.Context(), "k", fail)
		rejected(t, err, breaker.ErrOpen)
		require.InDelta(t, 3, inspect(t, eng, "k").Limits[0].Available, 0.01)

		// The breaker comes before the limiter: an open breaker takes no token.
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
		eng := start(t, cfg) // in real time: no message may be overtaken
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

func TestRowNBelow1(t *testing.T) {
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
				time.Sleep(time.Hour) // a probe that hung comes back late, and counts for nothing
				require.Zero(t, inspect(t, eng, "k").Failures)
			})
		})
	}
}
