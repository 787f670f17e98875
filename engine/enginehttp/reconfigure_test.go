package enginehttp_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// TestAHandlerFollowsTheLimits in its fields, in its breaker, and in the fields of Config that it cannot honour.
func TestAHandlerFollowsTheLimits(t *testing.T) {
	for _, chain := range []bool{false, true} {
		cfg := engine.Config{Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1)}}
		eng := guarding(t, cfg)
		status := http.StatusOK
		h := &enginehttp.Handler{Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })}
		if chain {
			h.Chain = func(r *http.Request) (engine.Key, error) { return eng.Key(r.Header.Get("User")), nil }
		} else {
			h.Engine, h.Key = eng, enginehttp.Header("User")
		}
		get := func(user string) *http.Response {
			r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
			r.Header.Set("User", user)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Result() //nolint:bodyclose // it has none
		}
		require.Contains(t, get("a").Header.Get("Ratelimit-Policy"), "q=10;")
		cfg.Limiter = limiter.TokenBucket{Capacity: 5, RefillRate: limiter.PerSecond(1)}
		cfg.LimiterFor = func(key string) limiter.Limiter {
			if key == "pro" {
				return limiter.All(limiter.TokenBucket{Capacity: 50, RefillRate: limiter.PerSecond(50)}, limiter.TokenBucket{Capacity: 70, RefillRate: limiter.PerSecond(1)})
			}
			return nil
		}
		cfg.Breaker = &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Hour}
		require.NoError(t, eng.Reconfigure(cfg))
		answer := get("a")
		require.Contains(t, answer.Header.Get("Ratelimit-Policy"), "q=5;")
		require.Contains(t, answer.Header.Get("Ratelimit"), "r=4;")
		require.Contains(t, get("pro").Header.Get("Ratelimit-Policy"), `"limit-2";q=70;`)
		header := http.Header{}
		enginehttp.Draft10.Tell(header, eng.Key("pro"))
		require.Contains(t, header.Get("Ratelimit"), `"limit-1";r=49;`)

		status = http.StatusInternalServerError
		require.Equal(t, status, get("a").StatusCode)
		require.Equal(t, http.StatusServiceUnavailable, get("a").StatusCode, "the breaker is open")
		cfg.Retry = &retry.Policy{}
		require.NoError(t, eng.Reconfigure(cfg))
		require.Panics(t, func() { get("a") }, "a Handler serves no request again")
	}
}

// TestATransportFollowsTheConfiguration in the fields that it cannot honour.
func TestATransportFollowsTheConfiguration(t *testing.T) {
	for _, chain := range []bool{false, true} {
		eng := guarding(t, engine.Config{})
		tr := &enginehttp.Transport{Base: answering(http.StatusOK)}
		if chain {
			tr.Chain = func(*http.Request) (engine.Key, error) { return eng.Key("k"), nil }
		} else {
			tr.Engine = eng
		}
		get := func() error {
			r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://host/", nil)
			require.NoError(t, err)
			answer, err := tr.RoundTrip(r)
			if err == nil {
				require.NoError(t, answer.Body.Close())
			}
			return err
		}
		require.NoError(t, get())
		require.NoError(t, eng.Reconfigure(engine.Config{Classify: func(error) engine.Outcome { return engine.Ignore }}))
		require.ErrorContains(t, get(), "Classify")
	}
}

// answering answers every request.
type answering int

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: int(a), Body: http.NoBody, Request: r, Header: http.Header{}}, nil
}
