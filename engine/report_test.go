package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// Twenty endpoints of a host fail. The engine around the endpoints' engine counts their failures,
// although each failure comes with the refusal of a further attempt.
func TestARefusalDoesNotHideAFailure(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Retry: &retry.Policy{MaxAttempts: 3, BaseDelay: time.Second}}
	eachDispatch(t, cfg, func(t *testing.T, endpoints *engine.Engine) {
		hosts := start(t, engine.Config{Breaker: opensAfter(20)})
		for i := range 20 {
			require.Equal(t, i, failures(hosts))
			err := hosts.Run(t.Context(), "host", func(ctx context.Context) error {
				return endpoints.Run(ctx, fmt.Sprint(i), fail)
			})
			require.ErrorIs(t, err, errDown)
			require.ErrorIs(t, err, breaker.ErrOpen)
			stopped, ok := errors.AsType[*engine.StoppedError](err)
			require.True(t, ok)
			require.ErrorIs(t, stopped.Reason, breaker.ErrOpen)
			require.Equal(t, errDown, stopped.Last)
		}
		require.Equal(t, breaker.Open, inspect(t, hosts, "host").Breaker)
	})
}

func failures(eng *engine.Engine) int {
	s, _ := eng.Inspect("host")
	return s.Failures
}

// To the breaker of an engine around, a refusal means nothing, under any wrapper, and a failure
// means a failure, also beside a refusal.
func TestOnlyPureRefusalsAreIgnored(t *testing.T) {
	inner := start(t, engine.Config{Breaker: opensAfter(1)})
	failTimes(t, inner, "k", 1)
	refusal := inner.Run(t.Context(), "k", succeed)
	rejected(t, refusal, breaker.ErrOpen)
	stopped := &engine.StoppedError{Reason: refusal, Last: errDown}
	for name, c := range map[string]struct {
		err   error
		count int
	}{
		"refusal":                        {refusal, 0},
		"wrapped":                        {fmt.Errorf("asking: %w", refusal), 0},
		"exhausted":                      {&retry.ExhaustedError{Attempts: 2, Err: refusal}, 0},
		"two refusals":                   {errors.Join(refusal, fmt.Errorf("and: %w", refusal)), 0},
		"stopped":                        {stopped, 1},
		"stopped, wrapped":               {fmt.Errorf("asking: %w", stopped), 1},
		"stopped twice":                  {&engine.StoppedError{Reason: refusal, Last: stopped}, 1},
		"stopped after a refusal":        {&engine.StoppedError{Reason: context.Canceled, Last: refusal}, 0},
		"stopped, marked":                {retry.Permanent(stopped), 1},
		"refused, then stopped, wrapped": {fmt.Errorf("x: %w", &engine.StoppedError{Reason: context.Canceled, Last: refusal}), 0},
		"refused, then stopped, joined":  {errors.Join(&engine.StoppedError{Reason: context.Canceled, Last: refusal}), 0},
		"two refusals in a chain":        {chain{refusal, refusal}, 0},
		"a failure at a chain's end":     {chain{refusal, errDown}, 1},
		"joined":                         {errors.Join(errDown, refusal), 1},
		"joined by hand":                 {fmt.Errorf("%w, having seen %w", refusal, errDown), 1},
		"marked permanent":               {retry.Permanent(refusal), 0},
		"joined within":                  {fmt.Errorf("x: %w", errors.Join(refusal, errDown)), 1},
		"a verdict beside":               {&engine.Verdict{Err: errors.Join(refusal, errDown), Outcome: engine.Ignore}, 0},
		"a wrapper of nothing":           {hollow{}, 1},
		"a list of nothing":              {hollowList{}, 1},
		"a failure that is no rejection": {breaker.ErrOpen, 1},
	} {
		t.Run(name, func(t *testing.T) {
			eng := start(t, engine.Config{Breaker: opensAfter(5)})
			require.Error(t, eng.Run(t.Context(), "host", func(context.Context) error { return c.err }))
			require.Equal(t, c.count, failures(eng))
		})
	}
}

// Classify is asked about the failure, and not about the refusal beside the failure.
func TestClassifySeesTheFailure(t *testing.T) {
	inner := start(t, engine.Config{Breaker: opensAfter(1), Retry: &retry.Policy{MaxAttempts: 2}})
	var seen []error
	outer := start(t, engine.Config{Breaker: opensAfter(1), Classify: func(err error) engine.Outcome {
		seen = append(seen, err)
		return engine.Ignore
	}})
	require.Error(t, outer.Run(t.Context(), "host", func(ctx context.Context) error { return inner.Run(ctx, "k", fail) }))
	require.Equal(t, []error{errDown}, seen)
}

// A call in another engine that ends before its function began says nothing about the upstream to
// the engine around. Nor does a refusal that comes when the time is up.
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

// deadlined is a context that names a deadline as the reason of its end.
type deadlined struct{ context.Context }

func (d *deadlined) Err() error {
	if d.Context.Err() != nil {
		return context.DeadlineExceeded
	}
	return nil
}

// chain is a list that unwraps to its rest. errors.Is and errors.As alone see the head.
type chain []error

func (c chain) Error() string { return c[0].Error() }

func (c chain) As(to any) bool { return errors.As(c[0], to) }

func (c chain) Is(err error) bool { return errors.Is(c[0], err) }

func (c chain) Unwrap() error {
	if len(c) == 1 {
		return nil
	}
	return c[1:]
}

type hollow struct{}

func (hollow) Error() string { return "hollow" }

func (hollow) Unwrap() error { return nil }

type hollowList struct{}

func (hollowList) Error() string { return "hollow" }

func (hollowList) Unwrap() []error { return nil }
