package engine_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock/clocktest"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

var chainStates = flag.Int("engine.chains", 2000/(1+slowdown/3), "random states of chains for the properties of RetryAfter and of giving up")

// eachDispatchOnMock runs f once for each Dispatch, in a bubble with a mock clock.
func eachDispatchOnMock(t *testing.T, f func(t *testing.T, d engine.Dispatch, m *clocktest.Mock)) {
	t.Helper()
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		t.Run(d.String(), func(t *testing.T) {
			clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) { f(t, d, m) })
		})
	}
}

// randomMember is the configuration of a key of a chain: any limits, any breaker, or neither.
func randomMember(r *rand.Rand, name string) engine.Config {
	cfg := engine.Config{Name: name}
	bucket := func() limiter.Limiter {
		rate := limiter.Per(1+r.Int64N(3), time.Duration(10+r.Int64N(1000)))
		if r.IntN(4) == 0 {
			return limiter.LeakyBucket{Capacity: 1 + r.IntN(3), LeakRate: rate}
		}
		return limiter.TokenBucket{Capacity: 1 + r.IntN(3), RefillRate: rate}
	}
	switch r.IntN(4) {
	case 0:
	case 1:
		cfg.Limiter = limiter.All(bucket(), bucket())
	default:
		cfg.Limiter = bucket()
	}
	if r.IntN(4) > 0 {
		cfg.Breaker = &breaker.Policy{
			FailureThreshold: 1 + r.IntN(2), HalfOpenSuccesses: 1 + r.IntN(2), HalfOpenProbes: 1 + r.IntN(2),
			RecoveryTimeout: time.Duration(1 + r.Int64N(1000)), ProbeTimeout: time.Duration(1 + r.Int64N(2000)),
		}
		if r.IntN(3) == 0 {
			cfg.Breaker.HalfOpenFailures = r.IntN(3)
			cfg.Breaker.MaxRecovery = cfg.Breaker.RecoveryTimeout * time.Duration(1+r.IntN(9))
			cfg.Breaker.RecoveryJitter, cfg.Breaker.Seed = r.Float64(), 1+r.Uint64N(9)
		}
	}
	return cfg
}

// stir brings the key of e into a random state, with tickets out.
func stir(r *rand.Rand, m *clocktest.Mock, e *engine.Engine) {
	var out []*engine.Ticket
	for range r.IntN(8) {
		switch r.IntN(6) {
		case 0:
			e.Allow("k")
		case 1, 2:
			_ = e.Key("k").NoWait().Run(context.Background(), fail)
		case 3:
			if ticket, err := e.Key("k").NoWait().Admit(context.Background()); err == nil {
				out = append(out, ticket)
			}
		case 4:
			m.Advance(time.Duration(r.Int64N(1000)))
		default:
			if len(out) > 0 {
				out[0].Done([]error{nil, errDown}[r.IntN(2)])
				out = out[1:]
			}
		}
	}
}

// TestRetryAfterOfAChainIsExact: in a random state the call is refused just before RetryAfter and passes at it, if nothing else
// comes; and no refused call has changed anything.
func TestRetryAfterOfAChainIsExact(t *testing.T) {
	eachDispatchOnMock(t, func(t *testing.T, d engine.Dispatch, m *clocktest.Mock) {
		r, refused, byBreaker, laterKey := random(t), 0, 0, 0
		for range *chainStates {
			var engines []*engine.Engine
			for i := range 2 + r.IntN(2) {
				cfg := randomMember(r, fmt.Sprint(i))
				cfg.Dispatch, cfg.Clock = d, m
				e, err := engine.New(cfg)
				require.NoError(t, err)
				engines = append(engines, e)
			}
			for range 2 {
				for _, e := range engines {
					stir(r, m, e)
				}
			}
			k := chained(engines).NoWait()
			if err := k.Run(context.Background(), succeed); err != nil {
				refusal, ok := errors.AsType[*engine.Rejection](err)
				require.True(t, ok, "%v", err)
				after := refusal.RetryAfter()
				require.Positive(t, after, "%v", err)
				refused++
				if refusal.Stage == engine.BreakerStage {
					byBreaker++
				}
				if refusal.Engine != "0" {
					laterKey++
				}
				m.Advance(after - 1)
				require.Error(t, k.Run(context.Background(), succeed), "1 ns before: %v", err)
				m.Advance(1)
				require.NoError(t, k.Run(context.Background(), succeed), "%v: after %v", err, after)
			}
			for _, e := range engines {
				require.Zero(t, e.Stats().KeptSpent)
				require.NoError(t, e.Close(context.Background()))
			}
		}
		t.Logf("%d of %d were refused, %d by a breaker, %d by a wider key", refused, *chainStates, byBreaker, laterKey)
		require.Greater(t, refused, *chainStates/4)
		require.Greater(t, byBreaker, *chainStates/16)
		require.Greater(t, laterKey, *chainStates/16)
	})
}

// TestWhoGivesUpInAWideQueueLeavesNothing: calls wait at the wide key and give up, by a deadline, a cancellation, a breaker that
// opens or Close. Then no lease is out, nobody waits, and each token came back or is counted.
func TestWhoGivesUpInAWideQueueLeavesNothing(t *testing.T) {
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := random(t)
				var gaveUp, kept uint64
				for range *chainStates / 4 {
					n, k := giveUp(t, r, d)
					gaveUp, kept = gaveUp+n, kept+k
				}
				t.Logf("%d calls gave up, %d tokens stayed spent", gaveUp, kept)
				require.Positive(t, kept)
				require.Greater(t, gaveUp, kept)
			})
		})
	}
}

// giveUp is a history of TestWhoGivesUpInAWideQueueLeavesNothing: how many calls gave up, and how many tokens stayed spent.
func giveUp(t *testing.T, r *rand.Rand, d engine.Dispatch) (gaveUp, kept uint64) {
	const capacity = 100
	narrow := engine.Config{
		Limiter: limiter.TokenBucket{Capacity: capacity, RefillRate: limiter.Per(1, 1000*time.Hour)}, Breaker: opensAfter(1), Dispatch: d,
	}
	wide := engine.Config{Limiter: oneEvery(time.Second), Breaker: opensAfter(1), Dispatch: d}
	var engines []*engine.Engine
	for _, cfg := range []engine.Config{narrow, wide} {
		e, err := engine.New(cfg)
		require.NoError(t, err)
		engines = append(engines, e)
	}
	held, err := engines[1].Admit(t.Context(), "k")
	require.NoError(t, err)
	k := chained(engines)
	served, back := waitAndGiveUp(t, r, k)
	closes := r.IntN(4)
	switch closes {
	case 0:
		held.Done(errDown) // the breaker of the wide key opens
	case 1:
		require.NoError(t, engines[0].Close(t.Context()))
	case 2:
		require.NoError(t, engines[1].Close(t.Context()))
	}
	gaveUp = back()
	kept = engines[0].Stats().KeptSpent
	for i, e := range engines {
		if s, known := e.Inspect("k"); known {
			require.Zero(t, s.Waiting)
			if i == 0 {
				require.InDelta(t, capacity-float64(served.Load())-float64(kept), s.Limits[0].Available, 0.1)
			}
		}
	}
	time.Sleep(10 * time.Second) // an open breaker has recovered by then; a lease that is out would stay
	if closes != 1 && closes != 2 {
		require.NoError(t, k.Run(t.Context(), succeed))
	}
	for _, e := range engines {
		require.NoError(t, e.Close(t.Context()))
	}
	return gaveUp, kept
}

// waitAndGiveUp starts calls for k that wait, some with a deadline, and lets some time pass. back cancels the calls, and returns
// how many were not served.
func waitAndGiveUp(t *testing.T, r *rand.Rand, k engine.Key) (served *atomic.Int64, back func() uint64) {
	callers := 1 + r.IntN(6)
	errs := make(chan error, callers)
	served = new(atomic.Int64)
	var cancels []context.CancelFunc
	for range callers {
		ctx, cancel := context.WithCancel(t.Context())
		if r.IntN(2) == 0 {
			ctx, cancel = context.WithTimeout(t.Context(), time.Duration(1+r.Int64N(int64(8*time.Second))))
		}
		cancels = append(cancels, cancel)
		go func() { errs <- k.Run(ctx, func(context.Context) error { served.Add(1); return nil }) }()
		synctest.Wait()
	}
	time.Sleep(time.Duration(r.Int64N(int64(3 * time.Second))))
	return served, func() (gaveUp uint64) {
		synctest.Wait()
		for _, cancel := range cancels {
			cancel()
		}
		for range callers {
			if <-errs != nil {
				gaveUp++
			}
		}
		synctest.Wait()
		return gaveUp
	}
}
