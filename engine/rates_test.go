package engine_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock/clocktest"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// rated is a breaker that opens if half of at least 20 calls fail.
func rated() *breaker.Policy { return &breaker.Policy{FailureRate: 0.5} }

// TestRowABreakerByRateOpensWhereOneInARowDoesNot: 1,000 calls of which 80 % fail, every fifth a success. At most 25 may pass.
func TestRowABreakerByRateOpensWhereOneInARowDoesNot(t *testing.T) {
	for name, c := range map[string]struct {
		policy *breaker.Policy
		passed int
	}{
		"in a row":           {&breaker.Policy{}, 1000},
		"by rate":            {rated(), 21},
		"by rate, of calls":  {&breaker.Policy{FailureRate: 0.5, WindowCalls: 100}, 21},
		"in a row or rate":   {&breaker.Policy{FailureRate: 0.5, FailureThreshold: 5}, 21},
		"the row comes soon": {&breaker.Policy{FailureRate: 0.5, FailureThreshold: 4}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, engine.Config{Breaker: c.policy}, func(t *testing.T, eng *engine.Engine) {
				passed := 0
				for i := 1; i <= 1000; i++ {
					_ = eng.Run(t.Context(), "k", func(ctx context.Context) error {
						if passed++; passed%5 == 0 {
							return nil
						}
						return fail(ctx)
					})
				}
				require.Equal(t, c.passed, passed)
			})
		})
	}
}

func TestRowABreakerByRateCountsEveryKindOfCall(t *testing.T) {
	eachDispatchMock(t, engine.Config{Breaker: rated(), Limiter: limiter.TokenBucket{Capacity: 1000, RefillRate: limiter.PerSecond(1)}},
		func(t *testing.T, m *clocktest.Mock, eng *engine.Engine) {
			other := start(t, engine.Config{Clock: m})
			wide := engine.Chain(eng.Key("k"), other.Key("x"))
			for range 3 {
				require.NoError(t, eng.Run(t.Context(), "k", succeed))
				require.NoError(t, eng.Key("k").Run(t.Context(), succeed))
				require.NoError(t, wide.Run(t.Context(), succeed))
				ticket, err := eng.Admit(t.Context(), "k")
				require.NoError(t, err)
				ticket.Done(nil)
				ticket, err = wide.Admit(t.Context())
				require.NoError(t, err)
				ticket.Done(nil)
				require.True(t, eng.Allow("k"), "asks no breaker, and is in no window")
				require.NoError(t, eng.Acquire(t.Context(), "k"))
			}
			synctest.Wait() // the first success of a key is a message
			require.Equal(t, breaker.Counts{Calls: 15}, inspect(t, eng, "k").Window)
			failTimes(t, eng, "k", 4)
			require.ErrorIs(t, wide.Run(t.Context(), fail), errDown)
			require.Equal(t, breaker.Counts{Calls: 20, Failures: 5}, inspect(t, eng, "k").Window)
			_ = eng.Run(t.Context(), "k", func(context.Context) error { return context.Canceled })
			require.Panics(t, func() { _ = eng.Run(t.Context(), "k", func(context.Context) error { panic("no") }) })
			require.Equal(t, breaker.Counts{Calls: 22, Failures: 7}, inspect(t, eng, "k").Window)
			m.Advance(5 * time.Second)
			require.NoError(t, eng.Run(t.Context(), "k", succeed))
			m.Advance(5 * time.Second)
			synctest.Wait()
			require.Equal(t, breaker.Counts{Calls: 1}, inspect(t, eng, "k").Window)
			eng.Reset("k")
			require.Zero(t, inspect(t, eng, "k").Window)
		})
}

func TestRowSlowCallsOpenABreakerThatJudgesThem(t *testing.T) {
	cfg := engine.Config{Breaker: &breaker.Policy{SlowRate: 0.5, SlowAfter: time.Second, MinCalls: 10}}
	eachDispatchMock(t, cfg, func(t *testing.T, m *clocktest.Mock, eng *engine.Engine) {
		takes := func(d time.Duration, err error) func(context.Context) error {
			return func(context.Context) error { m.Advance(d); return err }
		}
		wide := engine.Chain(start(t, engine.Config{Clock: m}).Key("x"), eng.Key("k"))
		const just = time.Second - 1
		for range 3 {
			require.NoError(t, eng.Run(t.Context(), "k", takes(just, nil)))
			require.NoError(t, wide.Run(t.Context(), takes(just, nil)))
		}
		require.NoError(t, eng.Run(t.Context(), "k", takes(time.Second, nil)))
		require.ErrorIs(t, eng.Run(t.Context(), "k", takes(time.Second, errDown)), errDown)
		require.NoError(t, wide.Run(t.Context(), takes(time.Second, nil)))
		require.ErrorIs(t, eng.Run(t.Context(), "k", takes(0, errDown)), errDown)
		synctest.Wait()
		require.Equal(t, breaker.Counts{Calls: 10, Failures: 2, Slow: 3}, inspect(t, eng, "k").Window)
		ticket, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		m.Advance(time.Minute) // and the others leave the window
		ticket.Done(nil)
		require.Equal(t, breaker.Counts{Calls: 1, Slow: 1}, inspect(t, eng, "k").Window)
		for range 9 {
			require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
			require.NoError(t, eng.Run(t.Context(), "k", takes(time.Second, nil)))
		}
		rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		for e := range eng.EventsSince(t.Context(), 0) {
			require.Equal(t, engine.Tripped, e.Kind)
			require.EqualError(t, e.Reason, "10 of 10 calls took 1s or longer")
			break
		}
		m.Advance(5 * time.Second)
		require.NoError(t, eng.Run(t.Context(), "k", takes(time.Second, nil)))
		require.Equal(t, breaker.Open, inspect(t, eng, "k").Breaker, "a slow probe counts as one that failed")
		stats := eng.Stats()
		require.Equal(t, []uint64{14, 19, 2}, []uint64{stats.Slow, stats.Successes, stats.Failures})
	})
}

// TestAWaitIsNotSlowness: only the call itself counts, and not the time in the queue or between attempts.
func TestAWaitIsNotSlowness(t *testing.T) {
	eachDispatch(t, engine.Config{
		Breaker: &breaker.Policy{SlowRate: 0.1, SlowAfter: time.Second, MinCalls: 1},
		Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Minute)},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: time.Minute},
	}, func(t *testing.T, eng *engine.Engine) {
		n := 0
		require.NoError(t, eng.Run(t.Context(), "k", func(ctx context.Context) error {
			if n++; n < 3 {
				return fail(ctx)
			}
			return nil
		}))
		require.Zero(t, eng.Stats().Slow)
	})
}

func TestTheReasonOfATripByRate(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: rated()}, func(t *testing.T, eng *engine.Engine) {
		for range 10 {
			require.NoError(t, eng.Run(t.Context(), "k", succeed))
		}
		failTimes(t, eng, "k", 10)
		for e := range eng.EventsSince(t.Context(), 0) {
			require.EqualError(t, e.Reason, "10 of 20 calls failed, the last: upstream is down")
			require.ErrorIs(t, e.Reason, errDown)
			break
		}
	})
}

// TestSuccessesAloneKeepNoKeyAndNoTally: after a sweep a key that is only in use has no window of its own any more, and after IdleAfter
// it is forgotten.
func TestSuccessesAloneKeepNoKeyAndNoTally(t *testing.T) {
	for name, policy := range map[string]*breaker.Policy{
		"of time": rated(), "of calls": {FailureRate: 0.5, WindowCalls: 50, ForgetAfter: 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, engine.Config{Breaker: policy, IdleAfter: 8 * time.Minute}, func(t *testing.T, eng *engine.Engine) {
				for range 10 {
					require.NoError(t, eng.Run(t.Context(), "k", succeed))
				}
				require.Equal(t, 10, inspect(t, eng, "k").Window.Calls)
				time.Sleep(5 * time.Minute)
				if eng.Config().Dispatch == engine.Published {
					require.Zero(t, inspect(t, eng, "k").Window.Calls)
				}
				require.Equal(t, 1, eng.Stats().Keys)
				time.Sleep(20 * time.Minute)
				require.Zero(t, eng.Stats().Keys)
			})
		})
	}
}

// TestEveryCallIsInTheWindow: goroutines call while the gate changes hands, because some calls fail. The window holds every call.
func TestEveryCallIsInTheWindow(t *testing.T) {
	for name, c := range map[string]struct {
		policy breaker.Policy
		limit  limiter.Limiter
	}{
		"rate":                {breaker.Policy{FailureRate: 1}, nil},
		"rate and row":        {breaker.Policy{FailureRate: 1, FailureThreshold: 1 << 30}, nil},
		"rate and limit":      {breaker.Policy{FailureRate: 1}, limiter.TokenBucket{Capacity: 1 << 20, RefillRate: limiter.PerSecond(1e6)}},
		"rate, row and limit": {breaker.Policy{FailureRate: 1, FailureThreshold: 1 << 30}, limiter.TokenBucket{Capacity: 1 << 20, RefillRate: limiter.PerSecond(1e6)}},
	} {
		t.Run(name, func(t *testing.T) {
			c.policy.WindowCalls, c.policy.ForgetAfter = 100_000, time.Hour
			eng := start(t, engine.Config{Breaker: &c.policy, Limiter: c.limit})
			require.NoError(t, eng.Run(t.Context(), "k", succeed))
			const goroutines, each = 8, 2000
			var all sync.WaitGroup
			for g := range goroutines {
				all.Go(func() {
					for i := range each {
						if (i+g)%10 == 0 {
							_ = eng.Run(t.Context(), "k", fail)
						} else {
							_ = eng.Run(t.Context(), "k", succeed)
						}
					}
				})
			}
			all.Wait()
			require.Equal(t, breaker.Counts{Calls: 1 + goroutines*each, Failures: goroutines * each / 10}, inspect(t, eng, "k").Window)
		})
	}
}

func TestAChangeOfTheRateKeepsTheWindow(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: rated()}, func(t *testing.T, eng *engine.Engine) {
		for range 25 {
			require.NoError(t, eng.Run(t.Context(), "k", succeed))
		}
		failTimes(t, eng, "k", 10)
		cfg := eng.Config()
		cfg.Breaker = &breaker.Policy{FailureRate: 0.3, Window: time.Minute}
		require.NoError(t, eng.Reconfigure(cfg))
		require.Equal(t, breaker.Counts{Calls: 35, Failures: 10}, inspect(t, eng, "k").Window)
		failTimes(t, eng, "k", 1)
		rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
	})
}

func TestAForcedBreakerHasNoWindow(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: rated()}, func(t *testing.T, eng *engine.Engine) {
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		require.NoError(t, eng.Force("k", breaker.Closed, time.Hour))
		failTimes(t, eng, "k", 30)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		require.Zero(t, inspect(t, eng, "k").Window)
		require.NoError(t, eng.Force("k", breaker.Closed, 0))
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		synctest.Wait()
		require.Equal(t, breaker.Counts{Calls: 1}, inspect(t, eng, "k").Window)
	})
}
