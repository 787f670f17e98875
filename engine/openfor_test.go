package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/retry"
)

// asks is a function that fails, with an upstream that asks to be left alone for d.
func asks(d time.Duration) func(context.Context) error {
	return func(context.Context) error {
		return &engine.Verdict{Err: errDown, Outcome: engine.Failure, OpenFor: d}
	}
}

// growing is a breaker whose open time grows up to a minute.
func growing(threshold int) *breaker.Policy {
	return &breaker.Policy{FailureThreshold: threshold, RecoveryTimeout: 5 * time.Second, MaxRecovery: time.Minute}
}

func TestRowAnUpstreamThatAsksToBeLeftAloneOpensTheBreaker(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		policy *breaker.Policy
		fn     func(context.Context) error
		open   time.Duration // 0: closed
	}{
		"for OpenFor":                      {growing(9), asks(20 * s), 20 * s},
		"for MaxRecovery at most":          {growing(9), asks(time.Hour), time.Minute},
		"for the longer of both":           {growing(1), asks(s), 5 * s},
		"0 is no wish":                     {growing(9), asks(0), 0},
		"nor is a time below 0":            {growing(9), asks(-s), 0},
		"without MaxRecovery no engine is": {opensAfter(9), asks(20 * s), 0},
		"only a Failure": {growing(9), func(context.Context) error {
			return &engine.Verdict{Err: errDown, Outcome: engine.Ignore, OpenFor: s}
		}, 0},
		"only the very error": {growing(9), func(ctx context.Context) error {
			return retry.Permanent(asks(20 * s)(ctx)) // without its marks, this is
		}, 20 * s},
	} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, engine.Config{Breaker: c.policy}, func(t *testing.T, eng *engine.Engine) {
				require.ErrorIs(t, eng.Run(t.Context(), "k", c.fn), errDown)
				err := eng.Run(t.Context(), "k", succeed)
				if c.open == 0 {
					require.NoError(t, err)
					return
				}
				require.Equal(t, c.open, rejected(t, err, breaker.ErrOpen).RetryAfter())
				require.Equal(t, c.open, inspect(t, eng, "k").OpenFor)
				e := eng.Key("k").Explain()
				require.False(t, e.Passes)
				require.Equal(t, c.open, e.RetryAfter)
				time.Sleep(c.open - 1)
				rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
				time.Sleep(time.Nanosecond)
				require.NoError(t, eng.Run(t.Context(), "k", succeed))
			})
		})
	}
}

// TestOnlyEnginesThatAllowItAreOpened by a call for keys of several engines; the others count a failure.
func TestOnlyEnginesThatAllowItAreOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := start(t, engine.Config{Name: "user", Breaker: opensAfter(9)})
		hosts := start(t, engine.Config{Name: "host", Breaker: growing(9)})
		once := start(t, engine.Config{Name: "once", Breaker: growing(9), PerCall: true})
		k := engine.Chain(users.Key("u"), hosts.Key("h"), once.Key("o"))
		require.ErrorIs(t, k.Run(t.Context(), asks(20*time.Second)), errDown)
		require.Equal(t, 1, inspect(t, users, "u").Failures)
		require.Equal(t, 20*time.Second, inspect(t, hosts, "h").OpenFor)
		require.Equal(t, 20*time.Second, inspect(t, once, "o").OpenFor)
		ticket, err := hosts.Admit(t.Context(), "other")
		require.NoError(t, err)
		ticket.Done(asks(time.Second)(t.Context()))
		require.Equal(t, time.Second, inspect(t, hosts, "other").OpenFor, "a ticket takes the wish, too")
	})
}

func TestAnEventSaysThatTheUpstreamAsked(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: growing(2)}, func(t *testing.T, eng *engine.Engine) {
		_ = eng.Run(t.Context(), "k", asks(20*time.Second))
		synctest.Wait()
		for e := range eng.EventsSince(t.Context(), 0) {
			require.EqualError(t, e.Reason, "the upstream asked to be left alone: upstream is down")
			require.Equal(t, 20*time.Second, e.Until.Sub(e.At))
			break
		}
	})
}

// A retry that waits for as long as the upstream has asked for is the probe.
func TestARetryComesWhenTheUpstreamAsked(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: growing(1), Retry: &retry.Policy{MaxDelay: time.Minute, Jitter: retry.NoJitter}}, func(t *testing.T, eng *engine.Engine) {
		calls, begun := 0, time.Now()
		require.NoError(t, eng.Run(t.Context(), "k", func(context.Context) error {
			if calls++; calls > 1 {
				return nil
			}
			return &engine.Verdict{Err: errDown, Outcome: engine.Failure, OpenFor: 20 * time.Second, After: 20 * time.Second}
		}))
		require.Equal(t, 2, calls)
		require.Equal(t, 20*time.Second, time.Since(begun))
	})
}
