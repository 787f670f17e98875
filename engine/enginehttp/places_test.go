package enginehttp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// TestAPlaceIsHeldUntilTheBodyIsClosed, or is at its end; alone and in a chain.
func TestAPlaceIsHeldUntilTheBodyIsClosed(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/missing":
			http.Error(w, "missing", http.StatusNotFound)
		case "/down":
			http.Error(w, "down", http.StatusInternalServerError)
		case "/nothing":
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = io.WriteString(w, "an answer")
		}
	}))
	defer up.Close()
	cfg := engine.Config{Concurrency: limiter.InFlight{Max: 1}, MaxWait: engine.NoWait, Breaker: &breaker.Policy{FailureThreshold: 100}}
	hosts, users := guarding(t, cfg), guarding(t, cfg)
	for name, tr := range map[string]*enginehttp.Transport{
		"engine": {Engine: hosts},
		"chain": {Chain: func(*http.Request) (engine.Key, error) {
			return engine.Chain(users.Key("u"), hosts.Key("h")), nil
		}},
		"with a time limit": {Engine: hosts, AttemptTimeout: 1e12},
	} {
		t.Run(name, func(t *testing.T) {
			get := func(path string) (*http.Response, error) {
				req, err := http.NewRequest(http.MethodGet, up.URL+path, http.NoBody)
				require.NoError(t, err)
				return tr.RoundTrip(req)
			}
			for _, path := range []string{"/", "/missing", "/down"} {
				resp, err := get(path)
				require.NoError(t, err)
				require.Equal(t, 1, hosts.Stats().InFlight, path)
				_, err = get("/")
				require.ErrorIs(t, err, limiter.ErrInFlight)
				require.NoError(t, resp.Body.Close())
				require.Zero(t, hosts.Stats().InFlight+users.Stats().InFlight, path)
				require.NoError(t, resp.Body.Close())

				resp, err = get(path)
				require.NoError(t, err)
				_, err = io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.Zero(t, hosts.Stats().InFlight+users.Stats().InFlight, "the end has been read")
				require.NoError(t, resp.Body.Close())
			}
			resp, err := get("/nothing")
			require.NoError(t, err)
			require.Zero(t, hosts.Stats().InFlight+users.Stats().InFlight, "nothing is to be read")
			require.NoError(t, resp.Body.Close())
		})
	}
}

// TestNoPlaceIsHeldBetweenAttempts: the answer before the next attempt is open, and holds no place.
func TestNoPlaceIsHeldBetweenAttempts(t *testing.T) {
	down := 2
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down--; down >= 0 {
			http.Error(w, "down", http.StatusServiceUnavailable)
		}
	}))
	defer up.Close()
	eng := guarding(t, engine.Config{
		Concurrency: limiter.InFlight{Max: 1}, MaxWait: engine.NoWait, Retry: &retry.Policy{MaxAttempts: 3, BaseDelay: 1, Jitter: retry.NoJitter},
	})
	resp, err := (&http.Client{Transport: &enginehttp.Transport{Engine: eng}}).Get(up.URL)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
	require.Zero(t, eng.Stats().InFlight)
}

// TestAHandlerHoldsAPlaceForTheWholeAnswer.
func TestAHandlerHoldsAPlaceForTheWholeAnswer(t *testing.T) {
	eng := guarding(t, engine.Config{Concurrency: limiter.InFlight{Max: 1}})
	inside := 0
	h := &enginehttp.Handler{Engine: eng, Key: enginehttp.Header("K"), Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		inside = eng.Stats().InFlight
		w.WriteHeader(http.StatusOK)
	})}
	serve := func() int {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Header.Set("K", "k")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, http.StatusOK, serve())
	require.Equal(t, 1, inside)
	require.Zero(t, eng.Stats().InFlight)
	ticket, err := eng.Admit(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, serve())
	ticket.Done(nil)
	require.Equal(t, http.StatusOK, serve())
}
