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
	"github.com/limitpal/limitpal-go/retry"
)

// The tests in this file hold the engine to the common parts with LimitPal 0.1.1, and
// docs/limitpal.md to the code. The tests against LimitPal's faults are in limitpal_01_11_test.go
// and limitpal_12_21_test.go.

func TestLimitPalTokenBucket(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(2)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		for range 10 {
			require.True(t, eng.Allow("a"), "it starts full")
		}
		require.False(t, eng.Allow("a"))
		require.True(t, eng.Allow(""), "each key has a bucket of its own, and any string is a key")
		time.Sleep(750 * time.Millisecond)
		require.InDelta(t, 1.5, inspect(t, eng, "a").Limits[0].Available, 1e-9)
		require.True(t, eng.Allow("a"))
		require.False(t, eng.Allow("a"))
		time.Sleep(time.Minute)
		require.InDelta(t, 10, inspect(t, eng, "a").Limits[0].Available, 0, "never above the capacity")
	})
}

func TestLimitPalLeakyBucket(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.LeakyBucket{Capacity: 3, LeakRate: limiter.PerSecond(2)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		for i := range 3 {
			require.True(t, eng.Allow("k"), "it starts empty")
			require.Equal(t, i+1, inspect(t, eng, "k").Limits[0].Queued)
		}
		require.False(t, eng.Allow("k"))
		time.Sleep(499 * time.Millisecond)
		require.False(t, eng.Allow("k"))
		time.Sleep(time.Millisecond)
		require.Equal(t, 2, inspect(t, eng, "k").Limits[0].Queued)
		require.Equal(t, time.Second, inspect(t, eng, "k").Limits[0].Wait, "until a caller of Acquire would go")
		require.True(t, eng.Allow("k"))
	})
}

func TestLimitPalAcquireTimeout(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(2 * time.Second)}, func(t *testing.T, eng *engine.Engine) {
		start := time.Now()
		require.NoError(t, eng.Acquire(t.Context(), "k"))
		require.NoError(t, eng.Acquire(t.Context(), "k"), "timeout=None waits for as long as it takes")
		require.Equal(t, 2*time.Second, time.Since(start))

		enough, cancel := context.WithTimeout(t.Context(), 2*time.Second+1)
		defer cancel()
		require.NoError(t, eng.Acquire(enough, "k"))
		require.Equal(t, 4*time.Second, time.Since(start))

		short, cancel := context.WithTimeout(t.Context(), 1999*time.Millisecond)
		defer cancel()
		r := rejected(t, eng.Acquire(short, "k"), limiter.ErrLimited)
		require.Equal(t, "k", r.Key)
		require.Equal(t, 2*time.Second, r.RetryAfter())
		require.False(t, eng.Allow("k"), "timeout=0 is one try")
		require.Equal(t, 4*time.Second, time.Since(start))
	})
}

func TestLimitPalComposite(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.All(
		limiter.TokenBucket{Capacity: 2, RefillRate: limiter.PerSecond(1)},
		limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, 10*time.Second)},
	)}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		start := time.Now()
		for range 3 {
			require.NoError(t, eng.Acquire(t.Context(), "k"))
		}
		require.Equal(t, time.Second, time.Since(start), "two at once, the third when the first bucket has one again")
		time.Sleep(5 * time.Second)
		require.False(t, eng.Allow("k"), "the second bucket is empty until 10 s")
		require.Len(t, inspect(t, eng, "k").Limits, 2)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		require.Equal(t, 4*time.Second, rejected(t, eng.Acquire(ctx, "k"), limiter.ErrLimited).RetryAfter())
	})
}

func TestLimitPalReset(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(time.Hour), Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		for _, key := range []string{"a", "b"} {
			failTimes(t, eng, key, 1)
		}
		eng.Reset("a")
		require.NoError(t, eng.Run(t.Context(), "a", succeed), "bucket and breaker are as new")
		rejected(t, eng.Run(t.Context(), "b", succeed), breaker.ErrOpen)
		eng.ResetAll()
		require.NoError(t, eng.Run(t.Context(), "a", succeed))
		require.NoError(t, eng.Run(t.Context(), "b", succeed))
		eng.Reset("unknown")
		require.Equal(t, 2, eng.Stats().Keys)
	})
}

func TestLimitPalTTLAndMaxBuckets(t *testing.T) {
	cfg := engine.Config{Limiter: oneEvery(time.Second), IdleAfter: time.Minute, MaxKeys: 2}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("a"))
		require.True(t, eng.Allow("b"))
		time.Sleep(30 * time.Second)
		require.True(t, eng.Allow("b"))
		require.True(t, eng.Allow("c"), "at the limit, a key that went unused makes room")
		require.Equal(t, 2, eng.Stats().Keys)
		_, known := eng.Inspect("a")
		require.False(t, known)
		time.Sleep(2 * time.Minute)
		require.Zero(t, eng.Stats().Keys, "keys that go unused are forgotten")
	})
}

func TestLimitPalRetryDelays(t *testing.T) {
	for _, c := range []struct {
		policy retry.Policy
		want   []float64 // min(base × backoff^(n-1), max), in seconds
	}{
		{retry.Policy{}, []float64{0.1, 0.2}},
		{retry.Policy{MaxAttempts: 9}, []float64{0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5}},
		{retry.Policy{MaxAttempts: 4, BaseDelay: 2 * time.Second, Backoff: 1}, []float64{2, 2, 2}},
		{retry.Policy{MaxAttempts: 4, BaseDelay: time.Second, MaxDelay: 2 * time.Second, Backoff: 1.5}, []float64{1, 1.5, 2}},
		{retry.Policy{BaseDelay: 10 * time.Second}, []float64{10, 10}},
		{retry.Policy{MaxAttempts: 1}, nil},
	} {
		c.policy.Jitter = retry.NoJitter
		eachDispatch(t, engine.Config{Retry: &c.policy}, func(t *testing.T, eng *engine.Engine) {
			var got []float64
			last := time.Now()
			attempts := 0
			err := eng.Run(t.Context(), "k", func(context.Context) error {
				if attempts++; attempts > 1 {
					got = append(got, time.Since(last).Seconds())
				}
				last = time.Now()
				return fmt.Errorf("attempt %d: %w", attempts, errDown)
			})
			require.Equal(t, c.want, got)
			require.Zero(t, time.Since(last), "no delay after the last attempt")
			exhausted, ok := errors.AsType[*retry.ExhaustedError](err)
			require.True(t, ok, "RetryExhausted, also of one attempt")
			require.Equal(t, len(c.want)+1, exhausted.Attempts)
			require.EqualError(t, exhausted.Err, fmt.Sprintf("attempt %d: upstream is down", attempts), "the last error")
		})
	}
}

func TestLimitPalErrorAsItIs(t *testing.T) {
	onlyOthers := &retry.Policy{RetryIf: func(err error) bool { return !errors.Is(err, errDown) }}
	for name, policy := range map[string]*retry.Policy{"outside RetryIf": onlyOthers, "no policy": nil} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, engine.Config{Retry: policy, Breaker: opensAfter(9)}, func(t *testing.T, eng *engine.Engine) {
				calls := 0
				require.True(t, eng.Run(t.Context(), "k", failing(&calls, errDown)) == errDown)
				require.Equal(t, 1, calls)
			})
		})
	}
}

func TestLimitPalBreaker(t *testing.T) {
	cfg := engine.Config{Breaker: &breaker.Policy{}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 4)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		failTimes(t, eng, "k", 4)
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker, "a success starts the count anew")
		failTimes(t, eng, "k", 1)
		require.Equal(t, breaker.Open, inspect(t, eng, "k").Breaker, "5 failures in a row open it")
		time.Sleep(5*time.Second - 1)
		rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		time.Sleep(time.Nanosecond)
		failTimes(t, eng, "k", 1)
		require.Equal(t, 5*time.Second, inspect(t, eng, "k").OpenFor, "one failure while half-open opens it again")
		time.Sleep(5 * time.Second)
		require.Equal(t, breaker.HalfOpen, inspect(t, eng, "k").Breaker)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker, "one success closes it")
	})
}

func TestLimitPalBreakerForgets(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: &breaker.Policy{}}, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 4)
		time.Sleep(time.Minute)
		failTimes(t, eng, "k", 4)
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
		failTimes(t, eng, "k", 1)
		time.Sleep(time.Minute) // nobody has come since: it is as new, without a probe
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
	})
}

func TestLimitPalExecutorOrder(t *testing.T) {
	cfg := engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 3, HalfOpenSuccesses: 2},
		Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(1, time.Hour)},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: time.Second, Backoff: 1, Jitter: retry.NoJitter},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		type seen struct{ tokens, failures int }
		var log []seen
		err := eng.Run(t.Context(), "k", func(context.Context) error {
			s := inspect(t, eng, "k")
			log = append(log, seen{int(s.Limits[0].Available), s.Failures})
			return errDown
		})
		require.Equal(t, []seen{{4, 0}, {3, 1}, {2, 2}}, log, "each attempt takes a token first and is counted after")
		_, ok := errors.AsType[*retry.ExhaustedError](err)
		require.True(t, ok)
		rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		require.Equal(t, 2, int(inspect(t, eng, "k").Limits[0].Available), "the breaker comes first: no token")

		time.Sleep(5 * time.Second)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		require.Equal(t, breaker.HalfOpen, inspect(t, eng, "k").Breaker, "half_open_success_threshold")
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
	})
}

func TestLimitPalAsync(t *testing.T) {
	cfg := engine.Config{Limiter: oneEvery(time.Second), Retry: everySecond, Breaker: opensAfter(5)}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		var results []<-chan engine.Result[int]
		for i := range 4 {
			results = append(results, engine.Go(t.Context(), eng, "k", func(context.Context) (int, error) { return i, nil }))
			synctest.Wait()
		}
		start := time.Now()
		for i, result := range results {
			require.Equal(t, engine.Result[int]{Value: i}, <-result)
		}
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestLimitPalInvalidConfig(t *testing.T) {
	bucket := func(capacity int, rate float64) engine.Config {
		return engine.Config{Limiter: limiter.TokenBucket{Capacity: capacity, RefillRate: limiter.PerSecond(rate)}}
	}
	leaky := func(capacity int, rate float64) engine.Config {
		return engine.Config{Limiter: limiter.LeakyBucket{Capacity: capacity, LeakRate: limiter.PerSecond(rate)}}
	}
	for field, cfgs := range map[string][]engine.Config{
		"Limiter.Capacity":          {bucket(0, 1), bucket(-1, 1), leaky(0, 1), leaky(-1, 1)},
		"Limiter.RefillRate":        {bucket(1, 0), bucket(1, -1), bucket(1, math.NaN())},
		"Limiter.LeakRate":          {leaky(1, 0), leaky(1, -1), leaky(1, math.Inf(1))},
		"Limiter.All":               {{Limiter: limiter.All()}},
		"IdleAfter":                 {{IdleAfter: -1}},
		"MaxKeys":                   {{MaxKeys: -1}},
		"Retry.MaxAttempts":         {{Retry: &retry.Policy{MaxAttempts: -1}}},
		"Retry.BaseDelay":           {{Retry: &retry.Policy{BaseDelay: -1}}},
		"Retry.MaxDelay":            {{Retry: &retry.Policy{BaseDelay: 2, MaxDelay: 1}}},
		"Retry.Backoff":             {{Retry: &retry.Policy{Backoff: 0.9}}},
		"Retry.Jitter":              {{Retry: &retry.Policy{Jitter: -1}}},
		"Breaker.FailureThreshold":  {{Breaker: opensAfter(-1)}},
		"Breaker.RecoveryTimeout":   {{Breaker: &breaker.Policy{RecoveryTimeout: -1}}},
		"Breaker.HalfOpenSuccesses": {{Breaker: &breaker.Policy{HalfOpenSuccesses: -1}}},
	} {
		for _, cfg := range cfgs {
			_, err := engine.New(cfg)
			c, ok := errors.AsType[*engine.ConfigError](err)
			require.True(t, ok, "%s: %v", field, err)
			require.Equal(t, field, c.Field)
			require.NotEmpty(t, c.Reason)
		}
	}
}
