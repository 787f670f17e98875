package engine_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

func TestHandle(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, time.Second)}, IdleAfter: time.Minute}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		k := eng.Key("conn-42")
		require.Equal(t, "conn-42", k.String())
		require.Zero(t, eng.Stats().Keys, "a handle makes no key known")
		require.True(t, k.Allow())
		require.True(t, k.AllowN(2))
		require.False(t, eng.Allow("conn-42"), "it is the same key")
		require.NoError(t, k.Acquire(t.Context()))
		require.NoError(t, k.AcquireN(t.Context(), 2))
		s, known := k.Inspect()
		require.True(t, known)
		require.InDelta(t, 0, s.Limits[0].Available, 1e-9)
		k.Reset()
		time.Sleep(time.Hour)
		require.Zero(t, eng.Stats().Keys, "it does not keep the key from being forgotten")
		require.NoError(t, k.Run(t.Context(), succeed))
		ticket, err := k.Admit(t.Context())
		require.NoError(t, err)
		require.Equal(t, `ticket for "conn-42"`, ticket.String())
		ticket.Done(nil)
	})
}

// A handle whose key was forgotten finds the key again at its gate. (The handle used to start a
// goroutine for the key.)
func TestAHandleFindsItsKeyAgainWithoutAnActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := start(t, engine.Config{Limiter: oneEvery(time.Second), IdleAfter: time.Minute})
		k := eng.Key("k")
		for range 3 {
			require.True(t, k.Allow())
			require.Equal(t, 1, eng.Stats().Keys)
			require.Zero(t, eng.Stats().Actors)
			time.Sleep(time.Hour)
			require.Zero(t, eng.Stats().Keys)
		}
	})
}

// waits are the ways of a key that may queue.
func waits(k engine.Key) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"Run":     func(ctx context.Context) error { return k.Run(ctx, succeed) },
		"Acquire": k.Acquire,
		"Admit":   func(ctx context.Context) error { _, err := k.Admit(ctx); return err },
		"DoKey": func(ctx context.Context) error {
			_, err := engine.DoKey(ctx, k, func(context.Context) (int, error) { return 0, nil })
			return err
		},
	}
}

// A call by NoWait never queues. Nor does a call by Within that would have to wait longer. Each
// call is told when to come back.
func TestNoWaitAndWithinBoundTheQueue(t *testing.T) {
	for name, limit := range map[string]limiter.Limiter{
		"token":      oneEvery(10 * time.Second),
		"leaky":      limiter.LeakyBucket{Capacity: 10, LeakRate: limiter.Per(1, 10*time.Second)},
		"two limits": limiter.All(oneEvery(10*time.Second), oneEvery(time.Second)),
	} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, engine.Config{Limiter: limit}, func(t *testing.T, eng *engine.Engine) {
				key := eng.Key("k")
				for _, k := range []engine.Key{key.NoWait(), key.Within(9 * time.Second), key.Within(time.Hour).NoWait(), key.NoWait().Within(1)} {
					for way, call := range waits(k) {
						eng.Reset("k")
						require.NoError(t, call(t.Context()), way)
						begin := time.Now()
						require.Equal(t, 10*time.Second, rejected(t, call(t.Context()), limiter.ErrLimited).RetryAfter(), way)
						require.Zero(t, time.Since(begin), way)
					}
				}
				for _, k := range []engine.Key{key, key.Within(10 * time.Second), key.NoWait().Within(math.MaxInt64)} {
					for way, call := range waits(k) {
						eng.Reset("k")
						require.NoError(t, call(t.Context()), way)
						begin := time.Now()
						require.NoError(t, call(t.Context()), way)
						require.Equal(t, 10*time.Second, time.Since(begin), way)
					}
				}
			})
		})
	}
}

// A call by NoWait behind a queue does not join the queue, and does not disturb the waiters.
func TestNoWaitBehindAQueue(t *testing.T) {
	eachDispatch(t, engine.Config{Limiter: oneEvery(10 * time.Second)}, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		first := inBackground(func() error { return eng.Acquire(t.Context(), "k") })
		synctest.Wait()
		k := eng.Key("k")
		require.Equal(t, 20*time.Second, rejected(t, k.NoWait().Acquire(t.Context()), limiter.ErrLimited).RetryAfter())
		rejected(t, k.Within(19*time.Second).Run(t.Context(), succeed), limiter.ErrLimited)
		second := inBackground(func() error { return k.Within(20*time.Second).Run(t.Context(), succeed) })
		begin := time.Now()
		require.NoError(t, <-first)
		require.NoError(t, <-second)
		require.Equal(t, 20*time.Second, time.Since(begin))
	})
}

// Config.MaxWait holds beside Within, and so does the deadline.
func TestTheTightestBoundHolds(t *testing.T) {
	cfg := engine.Config{Limiter: oneEvery(10 * time.Second), MaxWait: 5 * time.Second}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.Allow("k"))
		rejected(t, eng.Key("k").Within(time.Hour).Acquire(t.Context()), limiter.ErrLimited)
		time.Sleep(6 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		rejected(t, eng.Key("k").Within(time.Hour).Acquire(ctx), limiter.ErrLimited)
		require.NoError(t, eng.Key("k").Within(4*time.Second).Acquire(t.Context()))
	})
}

// Within bounds the sum of the waits in the queue in all attempts. The time of the function and of
// the backoffs does not count.
func TestWithinBoundsAllAttemptsTogether(t *testing.T) {
	cfg := engine.Config{
		Limiter: oneEvery(10 * time.Second),
		Retry:   &retry.Policy{MaxAttempts: 5, BaseDelay: time.Second, Jitter: retry.NoJitter, Backoff: 1},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		calls := 0
		begin := time.Now()
		err := eng.Key("k").Within(20*time.Second).Run(t.Context(), func(context.Context) error {
			calls++
			time.Sleep(time.Second)
			return errDown
		})
		// Each attempt after the first waits 8 s: 2 s go by with the function and the backoff.
		require.Equal(t, 3, calls)
		require.Equal(t, 22*time.Second, time.Since(begin))
		require.ErrorIs(t, err, errDown)
		rejected(t, err, limiter.ErrLimited)
	})
}

// A bound that can only be a mistake is an error wherever the key is used.
func TestWithinRefusesWhatIsNoBound(t *testing.T) {
	eng := start(t, engine.Config{})
	for _, d := range []time.Duration{0, -1, -time.Hour, math.MinInt64 + 2} {
		k := eng.Key("k").Within(d)
		for way, call := range waits(k) {
			bad, ok := errors.AsType[*engine.ConfigError](call(t.Context()))
			require.True(t, ok, way)
			require.Equal(t, "Within", bad.Field)
			require.Equal(t, d, bad.Value)
		}
		require.False(t, k.Allow())
		require.NoError(t, k.NoWait().Run(t.Context(), succeed), "undone")
	}
}

func TestTheZeroKeyWithACost(t *testing.T) {
	k := engine.Key{}.Cost(2)
	require.ErrorContains(t, k.Run(t.Context(), succeed), "must be a Key made by Engine.Key or Chain")
	require.Zero(t, k.Explain())
	require.False(t, k.Allow())
}
