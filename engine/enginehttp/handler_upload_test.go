package enginehttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// reading is a Handler whose Next reads the body and answers with status, or with 500 if the body cannot be read.
func reading(t *testing.T, policy *breaker.Policy, status *atomic.Int64) *enginehttp.Handler {
	return &enginehttp.Handler{
		Engine: guarding(t, engine.Config{Breaker: policy}), Key: func(*http.Request) string { return "k" },
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.WriteHeader(int(status.Load()))
		}),
	}
}

// put sends h a body that is read from r, and returns the status of the answer.
func put(ctx context.Context, h http.Handler, r io.Reader) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPut, "/", r))
	return w.Code
}

// TestASlowClientKeepsNoProbe of a Handler: another client is the probe meanwhile, and the slow one is one when it has ended.
func TestASlowClientKeepsNoProbe(t *testing.T) {
	for name, policy := range map[string]*breaker.Policy{
		"long probes": recovering, "short probes": {FailureThreshold: 1, RecoveryTimeout: time.Second, ProbeTimeout: 50 * time.Millisecond},
	} {
		for _, others := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var status atomic.Int64
					status.Store(500)
					h := reading(t, policy, &status)
					require.Equal(t, 500, ask(t, h).status)
					require.Equal(t, 503, ask(t, h).status)
					time.Sleep(time.Second)
					status.Store(200)
					body, client := io.Pipe()
					done := make(chan int)
					go func() { done <- put(t.Context(), h, body) }() // ends with the body
					synctest.Wait()
					require.Equal(t, 503, ask(t, h).status, "the slow client is the probe")
					time.Sleep(100 * time.Millisecond)
					synctest.Wait()
					if others {
						require.Equal(t, 200, ask(t, h).status, "and then it is not")
					}
					time.Sleep(time.Minute / 2)
					require.NoError(t, client.Close())
					require.Equal(t, 200, <-done)
					require.Equal(t, 200, ask(t, h).status)
					s, _ := h.Engine.Inspect("k")
					require.Equal(t, breaker.Closed, s.Breaker)
				})
			})
		}
	}
}

// TestABodyThatTheClientDoesNotSendIsNoFailure of Next, which answers 500 for want of it.
func TestABodyThatTheClientDoesNotSendIsNoFailure(t *testing.T) {
	var status atomic.Int64
	status.Store(500)
	h := reading(t, counting, &status)
	failures := func() int { s, _ := h.Engine.Inspect("k"); return s.Failures }
	for _, err := range []error{io.ErrUnexpectedEOF, os.ErrDeadlineExceeded, errors.New("http: request body too large")} {
		require.Equal(t, 500, put(t.Context(), h, &brokenReader{"abc", err}))
		require.Zero(t, failures(), "%v", err)
	}
	require.Equal(t, 500, put(t.Context(), h, strings.NewReader("abc")))
	require.Equal(t, 1, failures(), "and a failure it is if the body was there")

	h = reading(t, counting, &status)
	h.Next = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			panic(err)
		}
	})
	require.Panics(t, func() { put(t.Context(), h, &brokenReader{"abc", io.ErrUnexpectedEOF}) })
	require.Zero(t, failures())
}

// TestAClientWhoseBodyTakesAllTheTimeIsNoFailure, though the time of the request is up.
func TestAClientWhoseBodyTakesAllTheTimeIsNoFailure(t *testing.T) {
	for name, c := range map[string]struct {
		sends    bool
		failures int
	}{"silent": {false, 0}, "prompt": {true, 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				h := &enginehttp.Handler{
					Engine: guarding(t, engine.Config{Breaker: counting}), Key: func(*http.Request) string { return "k" },
					Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body)
						<-r.Context().Done()
						w.WriteHeader(http.StatusGatewayTimeout)
					}),
				}
				body, client := io.Pipe()
				if c.sends {
					require.NoError(t, client.Close())
				} else {
					time.AfterFunc(time.Second, func() { _ = client.Close() })
				}
				require.Equal(t, 504, put(ctx, h, body))
				s, _ := h.Engine.Inspect("k")
				require.Equal(t, c.failures, s.Failures)
			})
		})
	}
}

// TestAFailureThatIsNextsOwn counts, however long the body took before.
func TestAFailureThatIsNextsOwn(t *testing.T) {
	parse := func(r *http.Request) {
		var value int
		require.NoError(t, json.NewDecoder(r.Body).Decode(&value)) // which does not read to the end
	}
	for name, c := range map[string]struct {
		next     http.Handler
		failures int
	}{
		"fails": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			parse(r)
			w.WriteHeader(http.StatusInternalServerError)
		}), 1},
		"panics": {http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			parse(r)
			panic("fault")
		}), 1},
		"gives up": {http.TimeoutHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		}), 30*time.Second, ""), 0},
		"takes too long": {http.TimeoutHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			parse(r)
			<-r.Context().Done()
		}), 30*time.Second, ""), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &enginehttp.Handler{
					Engine: guarding(t, engine.Config{Breaker: counting}), Key: func(*http.Request) string { return "k" }, Next: c.next,
				}
				body, client := io.Pipe()
				done := make(chan any)
				go func() { // ends with Next
					defer func() { done <- recover() }()
					put(t.Context(), h, body)
				}()
				time.Sleep(10 * time.Second)
				_, err := io.WriteString(client, "7\n")
				require.NoError(t, err)
				<-done
				s, _ := h.Engine.Inspect("k")
				require.Equal(t, c.failures, s.Failures)
				require.NoError(t, client.Close())
			})
		})
	}
}

// TestTheRequestThatNextSees is the one that came, but for the body: what is made of it reaches net/http.
func TestTheRequestThatNextSees(t *testing.T) {
	var text strings.Builder
	form := multipart.NewWriter(&text)
	file, err := form.CreateFormFile("f", "f.txt")
	require.NoError(t, err)
	_, err = io.WriteString(file, "text")
	require.NoError(t, err)
	require.NoError(t, form.Close())
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /{name}", func(_ http.ResponseWriter, r *http.Request) {
		require.NoError(t, r.ParseMultipartForm(1))
		require.Equal(t, "a", r.PathValue("name"))
	})
	h := &enginehttp.Handler{Engine: guarding(t, engine.Config{Breaker: counting}), Next: mux}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/a", strings.NewReader(text.String()))
	r.Header.Set("Content-Type", form.FormDataContentType())
	body := r.Body
	h.ServeHTTP(httptest.NewRecorder(), r)
	require.NotNil(t, r.MultipartForm, "else nobody removes its files")
	require.NoError(t, r.MultipartForm.RemoveAll())
	require.Equal(t, "PUT /{name}", r.Pattern)
	require.Equal(t, "a", r.PathValue("name"))
	require.True(t, body == r.Body)
}
