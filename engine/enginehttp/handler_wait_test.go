package enginehttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// TestAHandlerRefusesAtOnce unless it is told to wait, whatever Config.MaxWait allows.
func TestAHandlerRefusesAtOnce(t *testing.T) {
	for _, limits := range []limiter.Limiter{
		limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 10*time.Second)},
		limiter.LeakyBucket{Capacity: 1, LeakRate: limiter.Per(1, 10*time.Second)},
		limiter.All(limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 10*time.Second)}, limiter.TokenBucket{Capacity: 9, RefillRate: limiter.PerSecond(9)}),
	} {
		for _, maxWait := range []time.Duration{0, time.Hour, engine.NoWait} {
			for _, dispatch := range []engine.Dispatch{engine.Published, engine.Mailbox} {
				t.Run(fmt.Sprintf("%T/%v/%v", limits, maxWait, dispatch), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						h := &enginehttp.Handler{
							Engine: guarding(t, engine.Config{Limiter: limits, MaxWait: maxWait, Dispatch: dispatch}), Next: http.HandlerFunc(greet),
						}
						begun := time.Now()
						for i := range 3 {
							r := ask(t, h)
							require.Zero(t, time.Since(begun))
							if i > 0 {
								require.Equal(t, http.StatusTooManyRequests, r.status)
								require.Equal(t, "10", r.header.Get("Retry-After"))
							}
						}
					})
				})
			}
		}
	}
}

// TestAHandlerWaits for as long as it is told to, and no longer than the engine and the request's context allow.
func TestAHandlerWaits(t *testing.T) {
	for _, c := range []struct {
		wait, maxWait, deadline time.Duration
		status                  int
		took                    time.Duration
	}{
		{10 * time.Second, 0, 0, 200, 10 * time.Second},
		{10*time.Second - 1, 0, 0, 429, 0},
		{time.Hour, 0, 0, 200, 10 * time.Second},
		{time.Hour, 10 * time.Second, 0, 200, 10 * time.Second},
		{time.Hour, 9 * time.Second, 0, 429, 0},
		{time.Hour, engine.NoWait, 0, 429, 0},
		{time.Hour, 0, 9 * time.Second, 429, 0},
		{1<<63 - 1, 0, 0, 200, 10 * time.Second},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} { // without and with a body
			t.Run(fmt.Sprintf("%+v %s", c, method), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					eng := guarding(t, engine.Config{
						Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 10*time.Second)}, MaxWait: c.maxWait,
						Breaker: &breaker.Policy{},
					})
					h := &enginehttp.Handler{Engine: eng, Next: http.HandlerFunc(greet), Wait: c.wait}
					require.Equal(t, http.StatusOK, ask(t, h).status)
					ctx := t.Context()
					if c.deadline > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, c.deadline)
						defer cancel()
					}
					begun, w := time.Now(), httptest.NewRecorder()
					r := httptest.NewRequestWithContext(ctx, method, "/", nil)
					if method == http.MethodPost {
						r = httptest.NewRequestWithContext(ctx, method, "/", &brokenReader{err: errDiskGone})
					}
					h.ServeHTTP(w, r)
					require.Equal(t, c.status, w.Code)
					require.Equal(t, c.took, time.Since(begun))
				})
			})
		}
	}
}

// TestAHandlerThatCannotHonourItsEngine says so when it is first used, and always.
func TestAHandlerThatCannotHonourItsEngine(t *testing.T) {
	for field, cfg := range map[string]engine.Config{
		"Retry":    {Retry: &retry.Policy{}},
		"Classify": {Classify: func(error) engine.Outcome { return engine.Ignore }},
	} {
		h := &enginehttp.Handler{Engine: guarding(t, cfg), Next: http.HandlerFunc(greet)}
		for range 2 {
			func() {
				defer func() {
					invalid, ok := recover().(*engine.ConfigError)
					require.True(t, ok)
					require.Equal(t, field, invalid.Field)
					require.ErrorContains(t, invalid, "enginehttp.Handler")
				}()
				ask(t, h)
			}()
		}
	}
	h := &enginehttp.Handler{Engine: guarding(t, engine.Config{}), Next: http.HandlerFunc(greet), Wait: -1}
	require.PanicsWithValue(t, "enginehttp: Handler.Wait is negative", func() { ask(t, h) })
}
