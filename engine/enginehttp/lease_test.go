package enginehttp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// TestAnUploadFromBeforeTheTripIsNoProbe, however long its body takes: it decides nothing after the
// trip.
func TestAnUploadFromBeforeTheTripIsNoProbe(t *testing.T) {
	for _, end := range []int64{200, 500} {
		for _, adapter := range []string{"Transport", "Handler"} {
			t.Run(fmt.Sprint(adapter, " ", end), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var status atomic.Int64
					status.Store(500)
					eng := transportEngine(t, engine.Config{Breaker: recovering})
					var tr http.RoundTripper = &enginehttp.Transport{Engine: eng, Base: readingBase(&status)}
					if adapter == "Handler" {
						tr = through(&enginehttp.Handler{Engine: eng, Key: func(*http.Request) string { return "h" },
							Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
								_, _ = io.Copy(io.Discard, r.Body)
								w.WriteHeader(int(status.Load()))
							})})
					}
					state := func() breaker.State { s, _ := eng.Inspect("h"); return s.Breaker }
					client, done := upload(t, tr)
					synctest.Wait()
					_ = get(t, tr)
					require.Equal(t, breaker.Open, state())
					time.Sleep(10 * time.Second)
					require.Equal(t, breaker.HalfOpen, state())
					status.Store(end)
					require.NoError(t, client.Close())
					require.NoError(t, <-done)
					require.Equal(t, breaker.HalfOpen, state(), "the end of a call from before the trip decides")
					status.Store(200)
					require.NoError(t, get(t, tr))
					require.Equal(t, breaker.Closed, state())
				})
			})
		}
	}
}

// through sends requests to a handler.
func through(h http.Handler) transportFunc {
	return func(r *http.Request) (*http.Response, error) {
		if r.Body == nil {
			r.Body = http.NoBody
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	}
}
