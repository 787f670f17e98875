package engine_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestAWideQueueServesTenantsInTurn: 1,024 callers of one tenant wait, and the first of another one is
// served next. MaxQueue counts per tenant.
func TestAWideQueueServesTenantsInTurn(t *testing.T) {
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		tenants, process := engines[0], engines[1].Key("all")
		require.True(t, engines[1].Allow("all"))
		var order []string
		var mu sync.Mutex
		note := func(s string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, s)
		}
		var callers sync.WaitGroup
		call := func(tenant string) {
			callers.Go(func() {
				err := engine.Chain(tenants.Key(tenant), process).Run(t.Context(), func(context.Context) error {
					note(tenant)
					return nil
				})
				if err != nil {
					note(err.Error())
				}
			})
			synctest.Wait()
		}
		for range 1024 {
			call("a")
		}
		call("a") // one too many
		require.Len(t, order, 1)
		require.Contains(t, order[0], "queue full")
		order = nil
		call("b")
		call("b")
		call("c")
		callers.Wait()
		require.Equal(t, []string{"b", "a", "c", "b", "a", "a"}, order[:6])
		require.Len(t, order, 1027)
	}, engine.Config{Name: "tenant"}, engine.Config{Name: "process", Limiter: oneEvery(time.Second)})
}

// TestMaxWaitHoldsWhateverOtherTenantsDo: a waiter that others go before is refused when its time is up.
func TestMaxWaitHoldsWhateverOtherTenantsDo(t *testing.T) {
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		wide := engines[1].Key("all")
		require.True(t, wide.Allow())
		begun := time.Now()
		var errs [8]error
		var after [8]time.Duration
		var callers sync.WaitGroup
		for i, tenant := range []string{"a", "a", "a", "b", "c", "d", "e", "f"} {
			callers.Go(func() {
				errs[i] = engine.Chain(engines[0].Key(tenant), wide).Run(t.Context(), succeed)
				after[i] = time.Since(begun)
			})
			synctest.Wait()
		}
		callers.Wait()
		for i, err := range errs {
			require.LessOrEqual(t, after[i], 3*time.Second+1, "caller %d", i)
			if err != nil {
				require.ErrorIs(t, err, limiter.ErrLimited)
			}
		}
		served := 0
		for _, err := range errs {
			if err == nil {
				served++
			}
		}
		require.Equal(t, 3, served, "the rate of three seconds: %v", errs)
	}, engine.Config{}, engine.Config{Limiter: oneEvery(time.Second), MaxWait: 3 * time.Second})
}

// TestNoProbeIsHeldByACallThatWaits: the wide key has no token, the narrow one a breaker that is half-open.
func TestNoProbeIsHeldByACallThatWaits(t *testing.T) {
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		failTimes(t, engines[0], "k", 1)
		time.Sleep(5 * time.Second)
		require.True(t, engines[1].Allow("k"))
		waiter := inBackground(func() error { return chained(engines).Run(t.Context(), succeed) })
		synctest.Wait()
		require.Equal(t, 1, inspect(t, engines[1], "k").Waiting)
		require.NoError(t, engines[0].Run(t.Context(), "k", succeed), "the probe is free")
		require.NoError(t, <-waiter)
	}, engine.Config{Breaker: opensAfter(1), Limiter: limiter.TokenBucket{Capacity: 9, RefillRate: limiter.PerSecond(1)}}, engine.Config{Limiter: oneEvery(time.Second)})
}

// TestABreakerThatOpensMeanwhileRefusesTheWaiter, of the same key and of a narrower one.
func TestABreakerThatOpensMeanwhileRefusesTheWaiter(t *testing.T) {
	for name, opens := range map[string]int{"narrow": 0, "wide": 1} {
		t.Run(name, func(t *testing.T) {
			eachChain(t, func(t *testing.T, engines []*engine.Engine) {
				require.True(t, engines[1].Allow("k"))
				waiter := inBackground(func() error { return chained(engines).Run(t.Context(), succeed) })
				synctest.Wait()
				ticket, err := engines[0].Admit(t.Context(), "k")
				if opens == 1 {
					engines[1].Reset("k")
					require.NoError(t, <-waiter)
					ticket, err = engines[1].Admit(t.Context(), "k")
					require.NoError(t, err)
					waiter = inBackground(func() error { return chained(engines).Run(t.Context(), succeed) })
					synctest.Wait()
				}
				require.NoError(t, err)
				ticket.Done(errDown)
				r := rejected(t, <-waiter, breaker.ErrOpen)
				require.Equal(t, engine.BreakerStage, r.Stage)
				require.Zero(t, inspect(t, engines[1], "k").Waiting)
				if opens == 0 {
					require.InDelta(t, 1, available(t, engines[1]), 0.01, "the token came back")
				}
			}, engine.Config{Breaker: opensAfter(1)}, engine.Config{Limiter: oneEvery(2 * time.Second), Breaker: opensAfter(1)})
		})
	}
}

// TestCloseOfAMemberEndsWaitsBackoffsAndGoroutines.
func TestCloseOfAMemberEndsWaitsBackoffsAndGoroutines(t *testing.T) {
	narrow := engine.Config{Name: "narrow", Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(1, time.Hour)}}
	wide := engine.Config{Name: "wide", Limiter: oneEvery(time.Hour), Retry: everySecond}
	for closed := range 2 {
		eachChain(t, func(t *testing.T, engines []*engine.Engine) {
			k := chained(engines)
			backoff := inBackground(func() error { return k.Run(t.Context(), fail) })
			synctest.Wait()
			waiter := engine.GoKey(t.Context(), k, func(context.Context) (int, error) { return 1, nil })
			synctest.Wait()
			require.Equal(t, 1, inspect(t, engines[1], "k").Waiting)
			begun := time.Now()
			require.NoError(t, engines[closed].Close(t.Context()))
			select {
			case r := <-waiter:
				require.ErrorIs(t, r.Err, engine.ErrClosed, "Close joins the goroutines of GoKey")
			default:
				t.Fatal("Close did not wait for the goroutine")
			}
			require.ErrorIs(t, <-backoff, engine.ErrClosed)
			require.Zero(t, time.Since(begun))
			require.ErrorIs(t, k.Run(t.Context(), succeed), engine.ErrClosed)
			require.ErrorIs(t, (<-engine.GoKey(t.Context(), k, func(context.Context) (int, error) { return 1, nil })).Err, engine.ErrClosed)
			require.False(t, k.Allow())
		}, narrow, wide)
	}
}

// TestADoomedChainTakesNothing: no key queues a call whose wait at a wider key is known to be too long.
func TestADoomedChainTakesNothing(t *testing.T) {
	narrow := engine.Config{Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Second)}}
	wide := engine.Config{Limiter: oneEvery(time.Minute), MaxWait: 10 * time.Second}
	eachChain(t, func(t *testing.T, engines []*engine.Engine) {
		k := chained(engines)
		require.NoError(t, k.Run(t.Context(), succeed))
		require.True(t, engines[0].Allow("k"))
		begun := time.Now()
		r := rejected(t, k.Run(t.Context(), succeed), limiter.ErrLimited)
		require.Equal(t, time.Minute, r.RetryAfter())
		rejected(t, k.Within(time.Second).Run(t.Context(), succeed), limiter.ErrLimited)
		rejected(t, k.NoWait().Run(t.Context(), succeed), limiter.ErrLimited)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		rejected(t, k.Run(ctx, succeed), limiter.ErrLimited)
		require.Zero(t, time.Since(begun))
		time.Sleep(time.Minute - 10*time.Second)
		begun = time.Now()
		require.NoError(t, k.Run(t.Context(), succeed))
		require.Equal(t, 10*time.Second, time.Since(begun))
	}, narrow, wide)
}
