package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// hangsOn waits for the end of its context and returns the cause.
func hangsOn(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// waysToHang are calls for the key k of an engine whose function hangs until its context ends.
var waysToHang = []func(*testing.T, *engine.Engine, context.Context) error{
	func(t *testing.T, e *engine.Engine, ctx context.Context) error { return e.Run(ctx, "k", hangsOn) },
	func(t *testing.T, e *engine.Engine, ctx context.Context) error {
		return engine.Chain(e.Key("k"), start(t, engine.Config{}).Key("x")).Run(ctx, hangsOn)
	},
	func(t *testing.T, e *engine.Engine, ctx context.Context) error {
		return engine.Chain(start(t, engine.Config{}).Key("x"), e.Key("k")).Run(ctx, hangsOn)
	},
	func(t *testing.T, e *engine.Engine, ctx context.Context) error {
		ticket, err := e.Admit(ctx, "k")
		if err == nil {
			err = hangsOn(ticket.Context())
			ticket.Done(err)
		}
		return err
	},
	func(t *testing.T, e *engine.Engine, ctx context.Context) error {
		return (<-engine.Go(ctx, e, "k", func(ctx context.Context) (int, error) { return 0, hangsOn(ctx) })).Err
	},
}

func TestRowTimeLimitsEndACallThatHangs(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		cfg      engine.Config
		deadline time.Duration // of the caller; 0: none
		took     time.Duration
		cause    error
	}{
		"Timeout":                 {engine.Config{Timeout: 3 * s}, 0, 3 * s, engine.ErrTimeout},
		"AttemptTimeout":          {engine.Config{AttemptTimeout: 2 * s}, 0, 2 * s, engine.ErrAttemptTimeout},
		"the tighter, attempt":    {engine.Config{Timeout: 3 * s, AttemptTimeout: 2 * s}, 0, 2 * s, engine.ErrAttemptTimeout},
		"the tighter, call":       {engine.Config{Timeout: 3 * s, AttemptTimeout: 5 * s}, 0, 3 * s, engine.ErrTimeout},
		"the caller's is earlier": {engine.Config{Timeout: 3 * s, AttemptTimeout: 5 * s}, s, s, context.DeadlineExceeded},
		"the caller's is later":   {engine.Config{Timeout: 3 * s}, time.Hour, 3 * s, engine.ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Breaker = opensAfter(1)
			for _, way := range waysToHang {
				eachDispatch(t, c.cfg, func(t *testing.T, eng *engine.Engine) {
					ctx, began := t.Context(), time.Now()
					if c.deadline > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, c.deadline)
						defer cancel()
					}
					err := way(t, eng, ctx)
					require.ErrorIs(t, err, c.cause)
					require.Equal(t, c.took, time.Since(began))
					require.Equal(t, breaker.Open, inspect(t, eng, "k").Breaker, "the upstream is to blame")
					want := uint64(1)
					if c.deadline == s {
						want = 0
					}
					require.Equal(t, want, eng.Stats().TimedOut)
					require.EqualValues(t, 1, eng.Stats().Failures)
				})
			}
		})
	}
}

func TestATimeLimitThatEndsAWaitIsNobodysFailure(t *testing.T) {
	for name, cfg := range map[string]engine.Config{
		"Timeout":        {Timeout: 3 * time.Second},
		"AttemptTimeout": {AttemptTimeout: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Breaker = opensAfter(1)
			cfg.Limiter = limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 5*time.Second)}
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				require.NoError(t, eng.Run(t.Context(), "k", succeed))
				began := time.Now()
				r := rejected(t, eng.Run(t.Context(), "k", succeed), limiter.ErrLimited)
				require.Equal(t, 5*time.Second, r.RetryAfter(), "a wait that would take too long is refused at once")
				require.Zero(t, time.Since(began))
				time.Sleep(3 * time.Second)
				require.NoError(t, eng.Run(t.Context(), "k", succeed), "two seconds are not too long")
				require.Equal(t, 5*time.Second, time.Since(began))
				require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
				require.Zero(t, eng.Stats().TimedOut)
			})
		})
	}
}

// TestTheTimeInTheQueueCounts: of the 3 s of an attempt two went in the queue.
func TestTheTimeInTheQueueCounts(t *testing.T) {
	eachDispatch(t, engine.Config{
		AttemptTimeout: 3 * time.Second, Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 2*time.Second)},
	}, func(t *testing.T, eng *engine.Engine) {
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		began := time.Now()
		require.ErrorIs(t, eng.Run(t.Context(), "k", hangsOn), engine.ErrAttemptTimeout)
		require.Equal(t, 3*time.Second, time.Since(began))
	})
}

func TestAnAttemptThatTookTooLongIsTriedAgain(t *testing.T) {
	cfg := engine.Config{
		AttemptTimeout: time.Second, Timeout: 10 * time.Second,
		Retry: &retry.Policy{MaxAttempts: 3, BaseDelay: 2 * time.Second, MaxDelay: 2 * time.Second, Jitter: retry.NoJitter},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		for _, k := range []engine.Key{eng.Key("k"), engine.Chain(eng.Key("k"), start(t, engine.Config{}).Key("x"))} {
			began, contexts := time.Now(), []context.Context{}
			err := k.Run(t.Context(), func(ctx context.Context) error {
				contexts = append(contexts, ctx)
				return hangsOn(ctx)
			})
			exhausted, ok := errors.AsType[*retry.ExhaustedError](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, 3, exhausted.Attempts)
			require.ErrorIs(t, err, engine.ErrAttemptTimeout)
			require.Equal(t, 7*time.Second, time.Since(began), "three attempts and two pauses")
			for _, ctx := range contexts {
				require.Equal(t, engine.ErrAttemptTimeout, context.Cause(ctx))
			}
		}
		require.EqualValues(t, 6, eng.Stats().TimedOut)
	})
}

// TestTheTimeoutOfTheCallEndsItsRetries, also in a pause between two attempts.
func TestTheTimeoutOfTheCallEndsItsRetries(t *testing.T) {
	cfg := engine.Config{
		AttemptTimeout: time.Second, Timeout: 3500 * time.Millisecond,
		Retry: &retry.Policy{MaxAttempts: 9, BaseDelay: 2 * time.Second, MaxDelay: 2 * time.Second, Jitter: retry.NoJitter},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		began, attempts := time.Now(), 0
		err := eng.Run(t.Context(), "k", func(ctx context.Context) error {
			attempts++
			return hangsOn(ctx)
		})
		require.Error(t, err)
		require.Equal(t, 2, attempts)
		require.Equal(t, 3500*time.Millisecond, time.Since(began), "the second attempt had half a second")
		require.EqualValues(t, 2, eng.Stats().TimedOut)
	})
}

// TestAFunctionThatAnswersLateHasAnswered: a time limit ends the context, and never the function.
func TestAFunctionThatAnswersLateHasAnswered(t *testing.T) {
	eachDispatch(t, engine.Config{AttemptTimeout: time.Second, Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		require.NoError(t, eng.Run(t.Context(), "k", func(context.Context) error {
			time.Sleep(time.Minute)
			return nil
		}))
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
		require.Zero(t, eng.Stats().TimedOut)
	})
}

// TestTheContextOfAnAttemptEndsWithTheAttempt, also if the function panics, so that no timer is left.
func TestTheContextOfAnAttemptEndsWithTheAttempt(t *testing.T) {
	for _, cfg := range []engine.Config{
		{AttemptTimeout: time.Hour}, {Timeout: time.Hour}, {AttemptTimeout: time.Hour, Retry: &retry.Policy{MaxAttempts: 2}},
		{AttemptTimeout: time.Hour, Breaker: opensAfter(99)}, {Timeout: time.Hour, Concurrency: limiter.InFlight{Max: 1}, Breaker: opensAfter(99)},
	} {
		eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
			var seen context.Context
			keep := func(ctx context.Context) error { seen = ctx; return nil }
			for name, call := range map[string]func(){
				"Run": func() { require.NoError(t, eng.Run(t.Context(), "k", keep)) },
				"error": func() {
					require.Error(t, eng.Run(t.Context(), "k", func(ctx context.Context) error { seen = ctx; return errDown }))
				},
				"Chain": func() {
					require.NoError(t, engine.Chain(eng.Key("k"), start(t, engine.Config{}).Key("x")).Run(t.Context(), keep))
				},
				"panic": func() {
					require.Panics(t, func() { _ = eng.Run(t.Context(), "k", func(ctx context.Context) error { seen = ctx; panic("no") }) })
				},
				"Admit": func() {
					ticket, err := eng.Admit(t.Context(), "k")
					require.NoError(t, err)
					seen = ticket.Context()
					require.NoError(t, seen.Err())
					ticket.Done(nil)
				},
			} {
				call()
				require.ErrorIs(t, seen.Err(), context.Canceled, name)
				require.NotErrorIs(t, context.Cause(seen), engine.ErrTimeout)
			}
		})
	}
}

func TestWithoutALimitTheContextIsTheCallers(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: &breaker.Policy{}}, func(t *testing.T, eng *engine.Engine) {
		ctx := t.Context()
		require.NoError(t, eng.Run(ctx, "k", func(in context.Context) error {
			require.Equal(t, ctx, in)
			return nil
		}))
		ticket, err := eng.Admit(ctx, "k")
		require.NoError(t, err)
		require.Equal(t, ctx, ticket.Context())
		ticket.Done(nil)
	})
}

// TestACallUnderTheTicketOfAProbe: a call made with the context of the ticket passes its half-open breaker until Done.
func TestACallUnderTheTicketOfAProbe(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		for _, k := range []engine.Key{eng.Key("k"), engine.Chain(start(t, engine.Config{}).Key("x"), eng.Key("k"))} {
			failTimes(t, eng, "k", 1)
			time.Sleep(5 * time.Second)
			ticket, err := k.Admit(t.Context())
			require.NoError(t, err)
			require.True(t, ticket.Probe())
			require.ErrorIs(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
			require.NoError(t, eng.Run(ticket.Context(), "k", succeed))
			ticket.Done(errDown)
			require.ErrorIs(t, eng.Run(ticket.Context(), "k", succeed), breaker.ErrOpen)
			eng.Reset("k")
		}
	})
}

func TestATimeLimitBelowZeroIsRefused(t *testing.T) {
	_, err := engine.New(engine.Config{Timeout: -1, AttemptTimeout: -time.Second})
	require.EqualError(t, err, "engine: Timeout = -1ns: must not be negative (0 is no limit)\n"+
		"engine: AttemptTimeout = -1s: must not be negative (0 is no limit)")
}

func TestReconfigureChangesTimeLimits(t *testing.T) {
	eachDispatch(t, engine.Config{}, func(t *testing.T, eng *engine.Engine) {
		cfg := eng.Config()
		cfg.AttemptTimeout = time.Second
		require.NoError(t, eng.Reconfigure(cfg))
		require.ErrorIs(t, eng.Run(t.Context(), "k", hangsOn), engine.ErrAttemptTimeout)
		cfg.AttemptTimeout = 0
		require.NoError(t, eng.Reconfigure(cfg))
		require.NoError(t, eng.Run(t.Context(), "k", func(ctx context.Context) error {
			_, limited := ctx.Deadline()
			require.False(t, limited)
			return nil
		}))
		synctest.Wait()
	})
}
