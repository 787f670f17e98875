package enginehttp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// TestARequestBelongsToTheHandlersOutside: others may be reading it, so a Handler does not write to it for nothing.
func TestARequestBelongsToTheHandlersOutside(t *testing.T) {
	h := &enginehttp.Handler{Engine: guarding(t, engine.Config{Breaker: counting}), Next: http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })}
	var readers sync.WaitGroup
	for range 10 {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", io.NopCloser(strings.NewReader("x")))
		before := *r
		over := make(chan struct{})
		readers.Go(func() { // ends at once; the race detector sees that nothing orders the two
			if r.Method == "" || r.URL.Path == "" || r.Context().Err() != nil || r.Body == nil || r.Pattern != "" || r.Form != nil || r.MultipartForm != nil {
				t.Error("the request is another")
			}
			close(over)
		})
		h.ServeHTTP(httptest.NewRecorder(), r)
		<-over
		require.Equal(t, before, *r)
	}
	readers.Wait()
}

// TestWhatNextMakesOfTheRequest is known outside: its form, and the pattern that it fits.
func TestWhatNextMakesOfTheRequest(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{name}/x/{rest...}", func(_ http.ResponseWriter, r *http.Request) {
		require.Equal(t, "a b", r.FormValue("f"))
		r.Method, r.RemoteAddr = "other", "other"
	})
	h := &enginehttp.Handler{Engine: guarding(t, engine.Config{Breaker: counting}), Next: mux}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/n/x/y/z", strings.NewReader("f=a+b"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h.ServeHTTP(httptest.NewRecorder(), r)
	require.Equal(t, "POST /{name}/x/{rest...}", r.Pattern)
	require.Equal(t, "n", r.PathValue("name"))
	require.Equal(t, "y/z", r.PathValue("rest"))
	require.Equal(t, "a b", r.PostFormValue("f"))
	require.Equal(t, "a b", r.FormValue("f"))
	require.Equal(t, http.MethodPost, r.Method)
	require.NotEqual(t, "other", r.RemoteAddr)
}
