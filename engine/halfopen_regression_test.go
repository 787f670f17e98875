package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// With two successes of three in, one further probe goes out. A refused caller is told the instant
// at which the probe's lease and the recovery after the lease are over.
func TestNoMoreProbesThanAreNeeded(t *testing.T) {
	cfg := engine.Config{Breaker: &breaker.Policy{FailureThreshold: 1, HalfOpenSuccesses: 3, HalfOpenProbes: 3}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		time.Sleep(5 * time.Second)
		for range 2 {
			require.NoError(t, eng.Run(t.Context(), "k", succeed))
		}
		third, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		time.Sleep(time.Second)
		for range 3 {
			r := rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
			require.Equal(t, 34*time.Second, r.RetryAfter())
		}
		third.Done(nil)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
	})
}

// The grant of a queued call comes while the only probe that is needed is out.
func TestACallThatQueuesIsNoProbeMoreThanNeeded(t *testing.T) {
	cfg := engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 1, HalfOpenProbes: 4, ProbeTimeout: time.Hour, ForgetAfter: time.Hour},
		Limiter: limiter.TokenBucket{Capacity: 4, RefillRate: limiter.Per(1, time.Minute)},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		require.True(t, eng.AllowN("k", 3))
		time.Sleep(5 * time.Second)
		var calls [2]<-chan error
		for i := range calls {
			calls[i] = inBackground(func() error {
				return eng.Run(t.Context(), "k", func(context.Context) error {
					time.Sleep(2 * time.Minute)
					return nil
				})
			})
			synctest.Wait()
		}
		require.Equal(t, 2, inspect(t, eng, "k").Waiting)
		rejected(t, <-calls[1], breaker.ErrOpen)
		require.NoError(t, <-calls[0])
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
	})
}

// An open breaker with a short ForgetAfter is half-open for ten recovery times, and only probes
// pass.
func TestAShortForgetAfterClosesNoOpenBreaker(t *testing.T) {
	cfg := engine.Config{Breaker: &breaker.Policy{FailureThreshold: 2, RecoveryTimeout: 30 * time.Second, ForgetAfter: 10 * time.Second}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		failTimes(t, eng, "k", 1)
		time.Sleep(10 * time.Second)
		failTimes(t, eng, "k", 1)
		require.Equal(t, 1, inspect(t, eng, "k").Failures, "the other one is forgotten")
		failTimes(t, eng, "k", 1)
		time.Sleep(330*time.Second - 1)
		require.Equal(t, breaker.HalfOpen, inspect(t, eng, "k").Breaker)
		probe, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		probe.Done(errDown)
		rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen)
		time.Sleep(330 * time.Second)
		failTimes(t, eng, "k", 1)
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker, "nobody has come, and it is as new")
	})
}
