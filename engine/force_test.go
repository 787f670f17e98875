package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// forcedConfigs are engines with every set of stages.
func forcedConfigs() map[string]engine.Config {
	hour := limiter.TokenBucket{Capacity: 100, RefillRate: limiter.Per(1, time.Hour)}
	return map[string]engine.Config{
		"nothing": {},
		"breaker": {Breaker: opensAfter(2)},
		"limiter": {Limiter: hour},
		"both":    {Breaker: opensAfter(2), Limiter: hour},
		"several": {Breaker: opensAfter(2), Limiter: limiter.All(hour, hour)},
		"per key": {LimiterFor: func(string) limiter.Limiter { return limiter.Unlimited }},
		"watched": {Latency: true},
		"once":    {PerCall: true},
	}
}

// eachForced runs f for each of forcedConfigs and each Dispatch.
func eachForced(t *testing.T, f func(t *testing.T, eng *engine.Engine)) {
	t.Helper()
	for name, cfg := range forcedConfigs() {
		t.Run(name, func(t *testing.T) { eachDispatch(t, cfg, f) })
	}
}

// waysToCall are the ways of making a call of key "k" through eng.
func waysToCall(t *testing.T, eng *engine.Engine, fn func(context.Context) error) map[string]func() error {
	ctx := t.Context()
	handle, other := eng.Key("k"), start(t, engine.Config{Name: "other"})
	ticket := func(t *engine.Ticket, err error) error {
		if err == nil {
			err = fn(ctx)
			t.Done(err)
		}
		return err
	}
	return map[string]func() error{
		"run":    func() error { return eng.Run(ctx, "k", fn) },
		"key":    func() error { return handle.Run(ctx, fn) },
		"at":     func() error { return eng.Key("k").NoWait().Run(ctx, fn) },
		"admit":  func() error { return ticket(eng.Admit(ctx, "k")) },
		"narrow": func() error { return engine.Chain(eng.Key("k"), other.Key("o")).Run(ctx, fn) },
		"wide":   func() error { return engine.Chain(other.Key("o"), eng.Key("k")).Run(ctx, fn) },
		"ticket": func() error { return ticket(engine.Chain(other.Key("o"), eng.Key("k")).Admit(ctx)) },
	}
}

func TestRowByHandOpenRefusesEveryCall(t *testing.T) {
	eachForced(t, func(t *testing.T, eng *engine.Engine) {
		require.NoError(t, eng.Force("k", breaker.Open, time.Minute))
		time.Sleep(20 * time.Second)
		for name, call := range waysToCall(t, eng, fail) {
			r := rejected(t, call(), breaker.ErrOpen)
			require.Equal(t, engine.BreakerStage, r.Stage, name)
			require.Equal(t, 40*time.Second, r.RetryAfter(), name)
			require.Equal(t, `engine: key "k": breaker: open, forced by hand (retry after 40s)`, r.Error(), name)
		}
		rejected(t, eng.Key("k").Check(t.Context()), breaker.ErrOpen)
		require.True(t, eng.Allow("k"))
		require.NoError(t, eng.Acquire(t.Context(), "k"))
		require.NoError(t, eng.Run(t.Context(), "another", succeed))

		s := inspect(t, eng, "k")
		require.Equal(t, []any{breaker.Open, 40 * time.Second, true}, []any{s.Breaker, s.OpenFor, s.Forced})
		x := eng.Key("k").Explain()
		require.Equal(t, engine.Explanation{RetryAfter: 40 * time.Second, Keys: []engine.KeyExplanation{
			{Key: "k", Stage: engine.BreakerStage, RetryAfter: 40 * time.Second},
		}}, x)
		require.Equal(t, []int{1, 0, 1}, gauges(eng))

		time.Sleep(40*time.Second - 1)
		rejected(t, eng.Run(t.Context(), "k", fail), breaker.ErrOpen)
		time.Sleep(time.Nanosecond)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		require.False(t, inspect(t, eng, "k").Forced)
		synctest.Wait()
		require.Equal(t, []int{0, 0, 0}, gauges(eng))
	})
}

// gauges returns OpenKeys, HalfOpenKeys and ForcedKeys.
func gauges(eng *engine.Engine) []int {
	s := eng.Stats()
	return []int{s.OpenKeys, s.HalfOpenKeys, s.ForcedKeys}
}

func TestRowByHandClosedLetsPassAndCountsNothing(t *testing.T) {
	eachForced(t, func(t *testing.T, eng *engine.Engine) {
		require.NoError(t, eng.Force("k", breaker.Closed, time.Minute))
		for name, call := range waysToCall(t, eng, fail) {
			for range 4 {
				require.Equal(t, errDown, call(), name)
			}
		}
		s := inspect(t, eng, "k")
		require.Equal(t, []any{breaker.Closed, 0, time.Duration(0), true}, []any{s.Breaker, s.Failures, s.OpenFor, s.Forced})
		require.True(t, eng.Key("k").Explain().Passes)
		require.Equal(t, []int{0, 0, 1}, gauges(eng))
		late, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		time.Sleep(time.Minute)
		late.Done(errDown) // was let through by hand
		synctest.Wait()
		require.Equal(t, []int{0, 0, 0}, gauges(eng))
		if s, known := eng.Inspect("k"); known {
			require.Equal(t, []any{0, false}, []any{s.Failures, s.Forced})
		}
		if eng.Config().Breaker != nil {
			failTimes(t, eng, "k", 2)
			rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		}
	})
}

func TestRowByHandForeverEndsByHand(t *testing.T) {
	for name, end := range map[string]func(*engine.Engine) error{
		"force": func(eng *engine.Engine) error { return eng.Force("k", breaker.Closed, 0) },
		"open":  func(eng *engine.Engine) error { return eng.Force("k", breaker.Open, 0) },
		"reset": func(eng *engine.Engine) error { eng.Reset("k"); return nil },
		"all":   func(eng *engine.Engine) error { eng.ResetAll(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			eachForced(t, func(t *testing.T, eng *engine.Engine) {
				require.NoError(t, eng.Force("k", breaker.Open, breaker.Forever))
				time.Sleep(10 * time.Hour)
				synctest.Wait()
				require.Zero(t, eng.Stats().Actors)
				for name, call := range waysToCall(t, eng, fail) {
					r := rejected(t, call(), breaker.ErrOpen)
					require.Zero(t, r.RetryAfter(), name)
					require.Equal(t, `engine: key "k": breaker: open, forced by hand`, r.Error(), name)
				}
				require.Equal(t, engine.Explanation{Keys: []engine.KeyExplanation{{Key: "k", Stage: engine.BreakerStage}}}, eng.Key("k").Explain())
				require.Equal(t, breaker.Forever, inspect(t, eng, "k").OpenFor)
				require.NoError(t, end(eng))
				require.NoError(t, eng.Run(t.Context(), "k", succeed))
				require.Equal(t, []int{0, 0, 0}, gauges(eng))
				synctest.Wait()
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				_, known := eng.Inspect("k")
				require.False(t, known, "a key whose state has ended is forgotten")
			})
		})
	}
}

func TestForceSaysWhatItCannotDo(t *testing.T) {
	eachDispatch(t, engine.Config{MaxKeys: 5}, func(t *testing.T, eng *engine.Engine) {
		for _, row := range []struct {
			s    breaker.State
			d    time.Duration
			text string
		}{
			{breaker.HalfOpen, time.Second, "engine: s = half-open: must be open or closed: a breaker can only prove by probes that it is half-open"},
			{breaker.State(7), 0, "engine: s = State(7): must be open or closed: a breaker can only prove by probes that it is half-open"},
			{breaker.Open, -1, "engine: d = -1ns: must not be negative (0 ends a forced state)"},
			{breaker.Open, math.MaxInt64 - 1, "engine: d = 2562047h47m16.854775806s: must be at most 2^61 ns (73 years), or breaker.Forever"},
		} {
			err := eng.Force("k", row.s, row.d)
			require.EqualError(t, err, row.text)
			_, ok := errors.AsType[*engine.ConfigError](err)
			require.True(t, ok)
		}
		require.NoError(t, eng.Force("k", breaker.Open, 0), "nothing to end")
		require.Zero(t, eng.Stats().Keys, "and no key made known")

		require.NoError(t, eng.Force("a", breaker.Open, breaker.Forever))
		require.NoError(t, eng.Force("b", breaker.Closed, time.Minute))
		require.Equal(t, engine.ErrForceLimit, eng.Force("c", breaker.Open, time.Minute))
		require.NoError(t, eng.Run(t.Context(), "c", succeed))
		require.NoError(t, eng.Force("a", breaker.Closed, time.Minute), "a key that is forced already")
		time.Sleep(time.Minute)
		require.NoError(t, eng.Force("a", breaker.Open, time.Minute), "perhaps before its actor has woken")
		synctest.Wait()
		require.NoError(t, eng.Force("c", breaker.Open, time.Minute))
		require.Equal(t, 2, eng.Stats().ForcedKeys)
		require.NoError(t, eng.Close(context.Background()))
		require.Equal(t, engine.ErrClosed, eng.Force("a", breaker.Open, time.Minute))
		require.Equal(t, engine.ErrClosed, eng.Force("a", breaker.Open, 0))
	})
}

// Keys that are forced are held: other keys come and go, and a new key finds room for as long as
// there is some.
func TestForcedKeysAreNeverForgotten(t *testing.T) {
	cfg := engine.Config{MaxKeys: 4, IdleAfter: time.Second, Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(1, time.Hour)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.NoError(t, eng.Force("open", breaker.Open, breaker.Forever))
		require.NoError(t, eng.Force("closed", breaker.Closed, time.Hour))
		for i := range 50 {
			require.NoError(t, eng.Run(t.Context(), fmt.Sprint(i), succeed))
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		rejected(t, eng.Run(t.Context(), "open", succeed), breaker.ErrOpen)
		require.True(t, inspect(t, eng, "closed").Forced)
		require.Equal(t, []int{1, 0, 2}, gauges(eng))
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, []int{1, 0, 1}, gauges(eng))
	})
}
