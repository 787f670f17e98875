package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// A test for each of the 21 faults of LimitPal 0.1.1 that docs/limitpal.md lists, by the same
// numbers. Each test fails if the engine has the fault.

func TestLimitPal01OneBreakerForAllKeys(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(3)}, func(t *testing.T, eng *engine.Engine) {
		for range 3 {
			failTimes(t, eng, "bad", 1)
			require.NoError(t, eng.Run(t.Context(), "good", succeed))
		}
		rejected(t, eng.Run(t.Context(), "bad", succeed), breaker.ErrOpen) // the other's successes did not start its count anew
		require.NoError(t, eng.Run(t.Context(), "good", succeed))
	})
}

func TestLimitPal02HalfOpenAdmitsEveryone(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		time.Sleep(5 * time.Second)
		var called, refused atomic.Int32
		recovered := make(chan struct{})
		for range 50 {
			go func() {
				err := eng.Run(t.Context(), "k", func(context.Context) error { called.Add(1); <-recovered; return nil })
				if errors.Is(err, breaker.ErrOpen) {
					refused.Add(1)
				}
			}()
		}
		synctest.Wait()
		require.EqualValues(t, 1, called.Load())
		require.EqualValues(t, 49, refused.Load())
		close(recovered)
		synctest.Wait()
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
	})
}

func TestLimitPal03LateResultsMoveTheBreaker(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(1)}, func(t *testing.T, eng *engine.Engine) {
		success, failure := make(chan error), make(chan error)
		for _, end := range []chan error{success, failure} {
			go func() { _ = eng.Run(t.Context(), "k", func(context.Context) error { return <-end }) }()
		}
		synctest.Wait() // both have begun while it is closed
		failTimes(t, eng, "k", 1)
		time.Sleep(5 * time.Second)
		probe, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		success <- nil
		synctest.Wait()
		require.Equal(t, breaker.HalfOpen, inspect(t, eng, "k").Breaker, "a late success does not close it")
		failure <- errDown
		synctest.Wait()
		require.Equal(t, breaker.HalfOpen, inspect(t, eng, "k").Breaker, "a late failure does not open it")
		probe.Done(nil)
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
	})
}

func TestLimitPal04ErrorsOutsideRetryOnVanish(t *testing.T) {
	cfg := engine.Config{
		Breaker: opensAfter(5),
		Retry:   &retry.Policy{RetryIf: func(error) bool { return false }},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 5)
		require.Equal(t, breaker.Open, inspect(t, eng, "k").Breaker, "what is not retried is counted all the same")
		for _, err := range []error{errDown, context.Canceled, retry.Permanent(errDown)} {
			time.Sleep(5 * time.Second)
			require.Error(t, eng.Run(t.Context(), "k", func(context.Context) error { return err }))
			require.Equal(t, breaker.Open, inspect(t, eng, "k").Breaker, "%v of a probe opens it again", err)
		}
		time.Sleep(5 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		_ = eng.Run(ctx, "k", func(context.Context) error { cancel(); return errDown })
		require.NoError(t, eng.Run(t.Context(), "k", succeed), "a probe that its caller gave up gives its place back")
	})
}

func TestLimitPal05TheExecutorWaitsWithoutLimit(t *testing.T) {
	cfg := engine.Config{Limiter: oneEvery(time.Hour), Breaker: opensAfter(5)}
	never := func(context.Context) error { panic("called") }
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		start := time.Now()
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		rejected(t, eng.Run(deadline, "k", never), limiter.ErrLimited)
		require.Zero(t, time.Since(start), "a deadline counts, at once")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		require.ErrorIs(t, eng.Run(ctx, "k", never), context.Canceled)
		require.Equal(t, time.Second, time.Since(start), "a cancellation ends the wait")
	})
	cfg.MaxWait = time.Minute
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		rejected(t, eng.Run(context.Background(), "k", never), limiter.ErrLimited)
	})
}

func TestLimitPal06TheBreakerIsAskedOnlyBeforeTheWait(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Minute)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		running, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		waiting := inBackground(func() error {
			return eng.Run(t.Context(), "k", func(context.Context) error { panic("called") })
		})
		time.Sleep(time.Minute - time.Second)
		running.Done(errDown)
		start := time.Now()
		rejected(t, <-waiting, breaker.ErrOpen)
		require.Zero(t, time.Since(start))
		time.Sleep(time.Minute)
		require.InDelta(t, 1, inspect(t, eng, "k").Limits[0].Available, 0, "and no token was taken")
	})
}

func TestLimitPal07LimiterErrorsCountAsFailures(t *testing.T) {
	cfg := engine.Config{Breaker: opensAfter(1), Limiter: oneEvery(time.Hour), Retry: everySecond, MaxWait: engine.NoWait}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		start := time.Now()
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		for range 10 {
			err := eng.Run(t.Context(), "k", succeed)
			rejected(t, err, limiter.ErrLimited)
			_, exhausted := errors.AsType[*retry.ExhaustedError](err)
			require.False(t, exhausted)
		}
		require.Zero(t, time.Since(start), "not retried")
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker, "not counted")
	})
}

func TestLimitPal08AnOpenBreakerHidesTheRealError(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: opensAfter(2), Retry: everySecond}, func(t *testing.T, eng *engine.Engine) {
		err := eng.Run(t.Context(), "tenant-7", fail)
		r := rejected(t, err, breaker.ErrOpen)
		require.ErrorIs(t, err, errDown)
		require.ErrorContains(t, err, errDown.Error())
		require.Equal(t, "tenant-7", r.Key)
		require.Equal(t, 5*time.Second, r.RetryAfter())
	})
}

func TestLimitPal09ACompositeLosesTokens(t *testing.T) {
	roomy := limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(1, 100*time.Hour)}
	tight := oneEvery(time.Minute)
	for i, members := range [][]limiter.Limiter{{roomy, tight}, {tight, roomy}} {
		eachDispatch(t, engine.Config{Limiter: limiter.All(members...)}, func(t *testing.T, eng *engine.Engine) {
			left := func(want float64) {
				t.Helper()
				require.InDelta(t, want, inspect(t, eng, "k").Limits[i].Available, 1e-3)
			}
			require.True(t, eng.Allow("k"))
			left(4)
			require.False(t, eng.Allow("k"))
			require.False(t, eng.AllowN("k", 2))
			left(4)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			r := rejected(t, eng.Acquire(ctx, "k"), limiter.ErrLimited)
			require.Equal(t, time.Minute, r.RetryAfter())
			gone, leave := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, leave)
			require.ErrorIs(t, eng.Acquire(gone, "k"), context.Canceled)
			left(4)
			time.Sleep(r.RetryAfter())
			require.True(t, eng.Allow("k"))
			left(3)
		})
	}
}

// TestLimitPal10EveryTierGetsTheSameKey: the tiers of a chain have keys of their own, and a call that a
// tier refuses takes no token of the others. Of two engines nested in one another the outer one loses a token.
func TestLimitPal10EveryTierGetsTheSameKey(t *testing.T) {
	limit := func(n int) engine.Config {
		bucket := limiter.TokenBucket{Capacity: n, RefillRate: limiter.Per(1, time.Hour)}
		return engine.Config{Limiter: bucket, MaxWait: engine.NoWait, Breaker: opensAfter(1)}
	}
	eachDispatch(t, limit(3), func(t *testing.T, tenants *engine.Engine) {
		users := start(t, limit(2))
		tokens := func(eng *engine.Engine, key string) float64 { return inspect(t, eng, key).Limits[0].Available }
		chained := func(tenant, user string) error {
			return engine.Chain(users.Key(user), tenants.Key(tenant)).Run(t.Context(), succeed)
		}
		nested := func(tenant, user string) error {
			return users.Run(t.Context(), user, func(ctx context.Context) error { return tenants.Run(ctx, tenant, succeed) })
		}
		for tenant, call := range map[string]func(tenant, user string) error{"chained": chained, "nested": nested} {
			ann, bob, cy := tenant+" ann", tenant+" bob", tenant+" cy"
			require.NoError(t, call(tenant, ann))
			require.NoError(t, call(tenant, ann))
			require.Equal(t, ann, rejected(t, call(tenant, ann), limiter.ErrLimited).Key, "the user's limit")
			require.InDelta(t, 1, tokens(tenants, tenant), 0.01)
			require.NoError(t, call(tenant, bob))
			require.Equal(t, tenant, rejected(t, call(tenant, bob), limiter.ErrLimited).Key, "the limit that users share")
			require.NoError(t, call(tenant+" other", cy))
			require.Equal(t, breaker.Closed, inspect(t, users, bob).Breaker, "a tenant's refusal is no failure of the user")
		}
		require.InDelta(t, 1, tokens(users, "chained bob"), 0.01, "the chain took nothing for the refused call")
		require.InDelta(t, 0, tokens(users, "nested bob"), 0.01, "the outer of two engines spent a token")
		require.Zero(t, users.Stats().KeptSpent)
	})
}

func TestLimitPal11TheLeakyBucketIsAMeter(t *testing.T) {
	cfg := engine.Config{Limiter: limiter.LeakyBucket{Capacity: 5, LeakRate: limiter.PerSecond(5)}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		begin := time.Now()
		passed := make(chan time.Duration, 5)
		for range 5 {
			go func() {
				_ = eng.Run(t.Context(), "k", func(context.Context) error { passed <- time.Since(begin); return nil })
			}()
		}
		synctest.Wait()
		r := rejected(t, eng.Acquire(t.Context(), "k"), limiter.ErrLimited)
		require.Equal(t, time.Second, r.RetryAfter(), "no place: refused at once, and told when its turn would be")
		for i := range 5 {
			require.Equal(t, time.Duration(i)*200*time.Millisecond, <-passed, "they leave at the rate, not all at once")
		}
	})
	cfg.Limiter = limiter.LeakyBucket{Capacity: 1000, LeakRate: limiter.Per(1, 10*time.Second)}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.True(t, eng.AllowN("k", 1000))
		time.Sleep(time.Hour + time.Second)
		require.Equal(t, 640, inspect(t, eng, "k").Limits[0].Queued, "an hour does not empty it")
		require.False(t, eng.AllowN("k", 361))
		require.True(t, eng.AllowN("k", 360))
	})
}
