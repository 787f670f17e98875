package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// The retries of a call end when a person opens the breaker, before the backoff is slept in vain.
func TestRowByHandOpenEndsRetries(t *testing.T) {
	for name, cfg := range map[string]engine.Config{
		"breaker": {Breaker: opensAfter(9)},
		"limiter": {Limiter: limiter.TokenBucket{Capacity: 9, RefillRate: limiter.PerSecond(1)}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Retry = &retry.Policy{MaxAttempts: 3, BaseDelay: time.Minute, Jitter: retry.NoJitter}
			eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
				began, calls := time.Now(), 0
				err := eng.Run(t.Context(), "k", func(context.Context) error {
					calls++
					require.NoError(t, eng.Force("k", breaker.Open, breaker.Forever))
					return errDown
				})
				require.Equal(t, 1, calls)
				require.Equal(t, began, time.Now(), "no backoff")
				require.ErrorIs(t, err, errDown)
				stopped, ok := errors.AsType[*engine.StoppedError](err)
				require.True(t, ok)
				require.Zero(t, rejected(t, stopped.Reason, breaker.ErrOpen).RetryAfter())

				require.NoError(t, eng.Force("k", breaker.Open, time.Second))
				calls = 0
				_ = eng.Run(t.Context(), "k", failing(&calls, errDown))
				require.Zero(t, calls)
				time.Sleep(time.Second)
				_ = eng.Run(t.Context(), "k", func(context.Context) error {
					calls++
					if calls == 1 {
						require.NoError(t, eng.Force("k", breaker.Open, time.Second)) // over before the next attempt
					}
					return errDown
				})
				require.Equal(t, 3, calls)
			})
		})
	}
}

// In a chain RetryAfter counts every key: the later one of the end of the forced state and of the
// token, and nothing if one of the keys never lets a call pass. A call that is refused takes no
// token.
func TestRowByHandInAChain(t *testing.T) {
	bucket := limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Minute)}
	eachDispatch(t, engine.Config{Name: "users", Limiter: bucket}, func(t *testing.T, users *engine.Engine) {
		apis := start(t, engine.Config{Name: "apis", Dispatch: users.Config().Dispatch})
		for _, k := range []engine.Key{
			engine.Chain(users.Key("u"), apis.Key("a")), engine.Chain(apis.Key("a"), users.Key("u")),
		} {
			require.NoError(t, apis.Force("a", breaker.Open, time.Second))
			r := rejected(t, k.Run(t.Context(), succeed), breaker.ErrOpen)
			require.Equal(t, []any{"apis", "a", time.Second}, []any{r.Engine, r.Key, r.RetryAfter()})
			require.Equal(t, `engine apis: key "a": breaker: open, forced by hand (retry after 1s)`, r.Error())

			require.True(t, users.Allow("u"), "the token is there")
			r, ok := errors.AsType[*engine.Rejection](k.NoWait().Check(t.Context())) // of the first key that refuses
			require.True(t, ok)
			require.Equal(t, time.Minute, r.RetryAfter())
			require.Equal(t, time.Minute, k.Explain().RetryAfter)

			require.NoError(t, apis.Force("a", breaker.Open, breaker.Forever))
			r, ok = errors.AsType[*engine.Rejection](k.NoWait().Run(t.Context(), succeed))
			require.True(t, ok)
			require.Zero(t, r.RetryAfter(), "one of the keys never lets it pass")
			x := k.Explain()
			require.False(t, x.Passes)
			require.Zero(t, x.RetryAfter)

			require.NoError(t, apis.Force("a", breaker.Closed, time.Hour))
			time.Sleep(time.Minute)
			require.NoError(t, k.Run(t.Context(), succeed))
			require.NoError(t, apis.Force("a", breaker.Closed, 0))
			time.Sleep(time.Minute)
		}
	})
}
