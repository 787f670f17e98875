package enginehttp_test

import (
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// TestARequestBelongsToTheHandlersOutside: others may be reading it, so a Handler does not write to
// it for nothing.
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

// TestTrailersReachNext, also trailers that were not announced, and through a Handler within a
// Handler.
func TestTrailersReachNext(t *testing.T) {
	eng := guarding(t, engine.Config{Breaker: counting})
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		announced := slices.Sorted(maps.Keys(r.Trailer))
		_, err := io.Copy(io.Discard, r.Body)
		require.NoError(t, err)
		require.Equal(t, "7", r.Trailer.Get("X-Sum"), "announced: %v", announced)
		w.Header().Set("X-Announced", strings.Join(announced, " "))
	})
	within := &enginehttp.Handler{Engine: eng, Next: next}
	for name, h := range map[string]http.Handler{
		"none": next, "one": within, "two": &enginehttp.Handler{Engine: guarding(t, engine.Config{Breaker: counting}), Next: within},
	} {
		for field, announced := range map[string]string{"": "", "Trailer: X-Sum\r\n": "X-Sum", "Trailer: X-Other\r\n": "X-Other"} {
			t.Run(name+" "+announced, func(t *testing.T) {
				srv := httptest.NewServer(h)
				defer srv.Close()
				conn, err := net.Dial("tcp", srv.Listener.Addr().String())
				require.NoError(t, err)
				defer conn.Close()
				say(conn, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+field+
					"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n")
				answer, err := io.ReadAll(conn)
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(string(answer), "HTTP/1.1 200 OK\r\n"), "%s", answer)
				require.Contains(t, string(answer), "X-Announced: "+announced+"\r\n")
			})
		}
	}
}
