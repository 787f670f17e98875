package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// Twenty endpoints of a host fail. The engine around the one that guards the endpoints counts their failures, although each comes
// together with the refusal of a further attempt.
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

// What an error means to the breaker of an engine around: a refusal nothing, whatever is wrapped around it, and a failure a failure,
// also beside a refusal.
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

// Classify is asked about the failure, and not about the refusal beside it.
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

// chain is a list that unwraps to its rest and shows its head to errors.Is and errors.As alone.
type chain []error

func (c chain) Error() string     { return c[0].Error() }
func (c chain) As(to any) bool    { return errors.As(c[0], to) }
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

func (hollowList) Error() string   { return "hollow" }
func (hollowList) Unwrap() []error { return nil }

// The text of an error is short, however long the key.
func TestErrorTextsShowTheBeginningOfAKey(t *testing.T) {
	eng := start(t, engine.Config{Limiter: oneEvery(time.Hour), MaxWait: engine.NoWait})
	for name, key := range map[string]string{
		"plain":      strings.Repeat("k", 1<<20),
		"bytes":      strings.Repeat("\x00", 1<<20),
		"runes":      strings.Repeat("日", 1<<18),
		"shifted":    "a" + strings.Repeat("日", 1<<18),
		"not UTF-8":  strings.Repeat("\xbf", 1<<20),
		"65 letters": strings.Repeat("k", 65),
	} {
		t.Run(name, func(t *testing.T) {
			ticket, err := eng.Admit(t.Context(), key)
			require.NoError(t, err)
			r := rejected(t, eng.Run(t.Context(), key, succeed), limiter.ErrLimited)
			require.Equal(t, key, r.Key)
			for _, text := range []string{r.Error(), ticket.String()} {
				require.Less(t, len(text), 512)
				require.Contains(t, text, fmt.Sprintf("(%d bytes)", len(key)))
				require.True(t, utf8.ValidString(text))
			}
		})
	}
	panicked := &actors.PanicError{Key: strings.Repeat("\x00", 1<<20), Value: "down"}
	require.Less(t, len(panicked.Error()), 512)
	short := strings.Repeat("k", 64)
	require.True(t, eng.Allow(short))
	require.Contains(t, eng.Run(t.Context(), short, succeed).Error(), strconv.Quote(short), "all of it")
}
