//go:build !race

package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// TestAnAdmittedCallAllocatesNothing counts the allocations of all goroutines together. (The race
// detector allocates too, so this file is left out under the race detector.)
func TestAnAdmittedCallAllocatesNothing(t *testing.T) {
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		t.Run(d.String(), func(t *testing.T) {
			eng := start(t, engine.Config{
				Breaker: opensAfter(5), Retry: &retry.Policy{}, Dispatch: d,
				Limiter: limiter.TokenBucket{Capacity: 1 << 20, RefillRate: limiter.PerSecond(1e6)},
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			handle := eng.Key("k")
			for name, call := range map[string]func(){
				"Run":                 func() { _ = eng.Run(context.Background(), "k", succeed) },
				"Run with a deadline": func() { _ = eng.Run(ctx, "k", succeed) },
				"Do":                  func() { _, _ = engine.Do(ctx, eng, "k", func(context.Context) (int, error) { return 1, nil }) },
				"Allow":               func() { eng.Allow("k") },
				"Acquire":             func() { _ = eng.Acquire(ctx, "k") },
				"by handle":           func() { _ = handle.Run(ctx, succeed) },
				"Admit": func() {
					if ticket, err := eng.Admit(ctx, "k"); err == nil {
						ticket.Done(nil)
					}
				},
				"Admit by handle": func() {
					if ticket, err := handle.Admit(ctx); err == nil {
						ticket.Done(nil)
					}
				},
			} {
				require.Zero(t, testing.AllocsPerRun(1000, call), name)
			}
		})
	}
}

// TestARefusalByAnOpenBreakerAllocatesNothing: the notice holds the refusal.
func TestARefusalByAnOpenBreakerAllocatesNothing(t *testing.T) {
	eng := start(t, engine.Config{Breaker: opensAfter(1)})
	failTimes(t, eng, "k", 1)
	require.Zero(t, testing.AllocsPerRun(1000, func() { _ = eng.Run(context.Background(), "k", succeed) }))
}

// TestForcedKeysCostOtherCallsNoAllocation, nor their own: the notice of a key that is forced open holds the refusal.
func TestForcedKeysCostOtherCallsNoAllocation(t *testing.T) {
	for _, policy := range []*breaker.Policy{nil, {}} {
		eng := start(t, engine.Config{Breaker: policy})
		require.NoError(t, eng.Force("open", breaker.Open, breaker.Forever))
		require.NoError(t, eng.Force("closed", breaker.Closed, time.Hour))
		for _, key := range []string{"open", "closed", "other"} {
			require.Zero(t, testing.AllocsPerRun(1000, func() { _ = eng.Run(context.Background(), key, succeed) }), key)
		}
		if policy == nil {
			require.Equal(t, 2, eng.Stats().Keys, "another key stays unknown where nothing is to be asked")
		}
	}
}

// TestALookAtACleanKeyAllocatesItsLimitsOnly, and a refusal by the limiter itself only.
func TestALookAtACleanKeyAllocatesItsLimitsOnly(t *testing.T) {
	eng := start(t, engine.Config{
		Breaker: opensAfter(5), Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}, MaxWait: engine.NoWait,
	})
	require.True(t, eng.Allow("k"))
	require.EqualValues(t, 1, testing.AllocsPerRun(1000, func() { eng.Inspect("k") }))
	require.EqualValues(t, 1, testing.AllocsPerRun(1000, func() { _ = eng.Run(context.Background(), "k", succeed) }))
}

// TestAChainAllocatesNothing once it is made. Chain allocates once for up to three keys, and Engine.Key once.
func TestAChainAllocatesNothing(t *testing.T) {
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		t.Run(d.String(), func(t *testing.T) {
			var keys []engine.Key
			for range 3 {
				keys = append(keys, start(t, engine.Config{
					Breaker: opensAfter(5), Retry: &retry.Policy{}, Dispatch: d,
					Limiter: limiter.TokenBucket{Capacity: 1 << 20, RefillRate: limiter.PerSecond(1e6)},
				}).Key("k"))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			two, three := engine.Chain(keys[0], keys[1]), engine.Chain(keys[0], keys[1], keys[2])
			for name, call := range map[string]func(){
				"two":     func() { _ = two.Run(ctx, succeed) },
				"three":   func() { _ = three.Run(ctx, succeed) },
				"DoKey":   func() { _, _ = engine.DoKey(ctx, two, func(context.Context) (int, error) { return 1, nil }) },
				"Allow":   func() { two.Allow() },
				"Acquire": func() { _ = three.Acquire(ctx) },
			} {
				require.Zero(t, testing.AllocsPerRun(1000, call), name)
			}
			require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { _ = engine.Chain(keys[0], keys[1]).Run(ctx, succeed) }), 1.0)
			for eng := range keys[0].Engines() {
				require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { _ = engine.Chain(eng.Key("k"), keys[1]).Run(ctx, succeed) }), 2.0)
			}
		})
	}
}
