package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestRetryAfterOfAChainKnowsWhatASpilledKeyOwes: a wide key that was spilled owes what it owed, and a refusal of a narrow key
// counts that in.
func TestRetryAfterOfAChainKnowsWhatASpilledKeyOwes(t *testing.T) {
	for name, wide := range map[string]engine.Config{
		"limiter": {Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}, MaxKeys: 1},
		"breaker": {Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Hour}, MaxKeys: 1},
		"both": {
			Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 30*time.Minute)},
			Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Hour}, MaxKeys: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachDispatch(t, wide, func(t *testing.T, api *engine.Engine) {
				user := start(t, engine.Config{Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Second)}})
				k := engine.Chain(user.Key("u"), api.Key("a")).NoWait()
				require.ErrorIs(t, k.Run(t.Context(), fail), errDown)
				known := rejected(t, k.Run(t.Context(), succeed), limiter.ErrLimited).RetryAfter()
				require.Equal(t, time.Hour, known)
				require.NoError(t, api.Run(t.Context(), "b", succeed), "the only key is now b")
				spilled := rejected(t, k.Run(t.Context(), succeed), limiter.ErrLimited)
				require.Equal(t, "u", spilled.Key)
				require.Equal(t, time.Hour, spilled.RetryAfter())
				time.Sleep(time.Hour - 1)
				require.Error(t, k.Run(t.Context(), succeed))
				time.Sleep(time.Nanosecond)
				require.NoError(t, k.Run(t.Context(), succeed))
			})
		})
	}
}
