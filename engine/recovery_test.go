package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// trips makes a call that fails and opens the breaker of k, and returns for how long.
func trips(t *testing.T, eng *engine.Engine, k string) time.Duration {
	t.Helper()
	failTimes(t, eng, k, 1)
	synctest.Wait()
	s := inspect(t, eng, k)
	require.Equal(t, breaker.Open, s.Breaker)
	require.Equal(t, s.OpenFor, rejected(t, eng.Run(t.Context(), k, succeed), breaker.ErrOpen).RetryAfter())
	return s.OpenFor
}

// TestRowOpenTimeGrows: the open time grows with each trip, and the growth outlives the actor, the sweeps, and a spill of the open key.
func TestRowOpenTimeGrows(t *testing.T) {
	for name, between := range map[string]func(*testing.T, *engine.Engine){
		"kept": func(*testing.T, *engine.Engine) {},
		"spilled": func(t *testing.T, eng *engine.Engine) {
			time.Sleep(time.Nanosecond)
			for i := 0; slices.Contains(slices.Collect(eng.Keys()), "k"); i++ { // others are open for longer
				require.Less(t, i, 100, "k stays")
				require.ErrorIs(t, eng.Run(t.Context(), fmt.Sprint("pushes ", time.Now(), i), asks(time.Hour)), errDown)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := tight()
			cfg.Breaker = growing(1)
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				for _, want := range []time.Duration{5, 10, 20, 40, 60, 60} {
					require.Equal(t, want*time.Second, trips(t, eng, "k"))
					between(t, eng)
					time.Sleep(want * time.Second)
				}
			})
		})
	}
}

// TestAKeyWithGrowthLeftIsNotForgotten before its open time has stepped back, although its bucket is full and no
// failure is counted. Its successes send no message.
func TestAKeyWithGrowthLeftIsNotForgotten(t *testing.T) {
	cfg := engine.Config{Breaker: growing(1), IdleAfter: time.Second}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		for _, want := range []time.Duration{5, 10, 20} {
			require.Equal(t, want*time.Second, trips(t, eng, "k"))
			time.Sleep(want * time.Second)
		}
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		synctest.Wait()
		require.Equal(t, 1, eng.Stats().Keys)
		time.Sleep(10 * time.Second) // two steps back of three
		require.Equal(t, 1, eng.Stats().Keys)
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
		require.Equal(t, 10*time.Second, trips(t, eng, "k"))
		time.Sleep(10 * time.Second)
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		time.Sleep(9 * time.Second)
		require.Equal(t, 1, eng.Stats().Keys, "one step is left")
		time.Sleep(5 * time.Second)
		require.Zero(t, eng.Stats().Keys)
		require.Equal(t, 5*time.Second, trips(t, eng, "k"))
	})
}

func TestResetForgetsTheGrowth(t *testing.T) {
	eachDispatch(t, engine.Config{Breaker: growing(1)}, func(t *testing.T, eng *engine.Engine) {
		trips(t, eng, "k")
		time.Sleep(5 * time.Second)
		require.Equal(t, 10*time.Second, trips(t, eng, "k"))
		eng.Reset("k")
		require.Equal(t, 5*time.Second, trips(t, eng, "k"))
	})
}

// TestGrowthFollowsAChange: a breaker that is open stays so until the same instant, and its next open time is by
// the new policy.
func TestGrowthFollowsAChange(t *testing.T) {
	for name, c := range map[string]struct {
		policy *breaker.Policy
		want   time.Duration
	}{
		"less":  {&breaker.Policy{FailureThreshold: 1, RecoveryTimeout: 5 * time.Second, MaxRecovery: 7 * time.Second}, 7 * time.Second},
		"none":  {&breaker.Policy{FailureThreshold: 1, RecoveryTimeout: 3 * time.Second}, 3 * time.Second},
		"alike": {growing(1), 40 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, engine.Config{Breaker: growing(1)}, func(t *testing.T, eng *engine.Engine) {
				for _, want := range []time.Duration{5, 10} {
					require.Equal(t, want*time.Second, trips(t, eng, "k"))
					time.Sleep(want * time.Second)
				}
				require.Equal(t, 20*time.Second, trips(t, eng, "k"))
				cfg := eng.Config()
				cfg.Breaker = c.policy
				require.NoError(t, eng.Reconfigure(cfg))
				require.Equal(t, 20*time.Second, inspect(t, eng, "k").OpenFor)
				time.Sleep(20 * time.Second)
				require.Equal(t, c.want, trips(t, eng, "k"))
			})
		})
	}
}

// TestAToleratedFailureOfAProbe leaves the breaker half-open, in the engine too, and a probe that hangs gives its
// place back at the end of its lease.
func TestAToleratedFailureOfAProbe(t *testing.T) {
	cfg := engine.Config{Breaker: &breaker.Policy{FailureThreshold: 1, HalfOpenFailures: 2}}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		trips(t, eng, "k")
		time.Sleep(5 * time.Second)
		failTimes(t, eng, "k", 1)
		synctest.Wait()
		require.Equal(t, breaker.HalfOpen, inspect(t, eng, "k").Breaker)
		hangs, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		require.Equal(t, 30*time.Second, rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen).RetryAfter(), "ProbeTimeout alone")
		time.Sleep(30 * time.Second)
		second, err := eng.Admit(t.Context(), "k")
		require.NoError(t, err)
		require.Equal(t, 35*time.Second, rejected(t, eng.Run(t.Context(), "k", succeed), breaker.ErrOpen).RetryAfter(), "no more is tolerated")
		hangs.Done(errDown) // too late
		second.Done(nil)
		synctest.Wait()
		require.NoError(t, eng.Run(t.Context(), "k", succeed))
		require.Equal(t, breaker.Closed, inspect(t, eng, "k").Breaker)
	})
}

func TestRecoveryFieldsAreChecked(t *testing.T) {
	_, err := engine.New(engine.Config{Breaker: &breaker.Policy{MaxRecovery: time.Second, RecoveryJitter: 2, HalfOpenFailures: -1}})
	for _, text := range []string{
		"engine: Breaker.MaxRecovery = 1s: must be at least RecoveryTimeout, 5s (0 is the default)",
		"engine: Breaker.RecoveryJitter = 2: must be from 0 to 1",
		"engine: Breaker.HalfOpenFailures = -1: must not be negative (0 is the default)",
	} {
		require.ErrorContains(t, err, text)
	}
}
