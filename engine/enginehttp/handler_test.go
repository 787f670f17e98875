package enginehttp_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
)

// guarding makes an engine that is closed when the test ends. In a bubble, call it inside.
func guarding(t testing.TB, cfg engine.Config) *engine.Engine {
	t.Helper()
	eng, err := engine.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close(context.Background())) })
	return eng
}

// eachProtocol runs f with a function that serves a handler on loopback over HTTP/1.1 and over HTTP/2.
func eachProtocol(t *testing.T, f func(t *testing.T, serve func(http.Handler) *httptest.Server)) {
	t.Helper()
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(proto, func(t *testing.T) {
			f(t, func(h http.Handler) *httptest.Server {
				srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Proto != proto {
						t.Errorf("served over %s", r.Proto)
					}
					h.ServeHTTP(w, r)
				}))
				srv.Config.ErrorLog = quiet
				t.Cleanup(srv.Close)
				if srv.EnableHTTP2 = proto == "HTTP/2.0"; srv.EnableHTTP2 {
					srv.StartTLS()
				} else {
					srv.Start()
				}
				return srv
			})
		})
	}
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // of reading it
}

// send makes a request of a server, without a body. Use POST where the server breaks off: a client repeats a GET.
func send(t testing.TB, srv *httptest.Server, method string) (reply, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL, nil)
	require.NoError(t, err)
	resp, err := srv.Client().Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(body), err}, nil
}

// answered is send where there must be an answer.
func answered(t testing.TB, srv *httptest.Server, method string) reply {
	t.Helper()
	r, err := send(t, srv, method)
	require.NoError(t, err)
	require.NoError(t, r.err)
	return r
}

// ask has h answer a GET without a network.
func ask(t testing.TB, h http.Handler) reply {
	t.Helper()
	return askWith(t.Context(), h)
}

func askWith(ctx context.Context, h http.Handler) reply {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	return reply{rec.Code, rec.Result().Header, rec.Body.String(), nil}
}

// status answers with a status and no body.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// greet answers 200 with a body, and says nothing of the status.
func greet(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

// oneIn lets one request pass at once and then one every d, and nobody wait.
func oneIn(d time.Duration) engine.Config {
	return engine.Config{Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, d)}, MaxWait: engine.NoWait}
}

// still is a clock that does not move, so that what a test reads does not depend on how busy the machine is.
type still struct{ clock.Clock }

func (still) Now() time.Time { return time.Unix(1, 0) }

// anHourLeft is oneIn for an hour, at an instant that does not pass.
func anHourLeft() engine.Config {
	cfg := oneIn(time.Hour)
	cfg.Clock = still{clock.System()}
	return cfg
}

// opensAtOnce is a breaker that one failure opens for an hour. The hour does not begin to pass.
func opensAtOnce() engine.Config {
	return engine.Config{Clock: still{clock.System()}, Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Hour}}
}

const problemTypes = "https://iana.org/assignments/http-problem-types#"

// problemOf is the body of a refusal.
func problemOf(t *testing.T, r reply) map[string]any {
	t.Helper()
	require.Equal(t, "application/problem+json", r.header.Get("Content-Type"))
	require.Equal(t, "no-store", r.header.Get("Cache-Control"))
	var members map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &members))
	require.NotEmpty(t, members["title"])
	require.EqualValues(t, r.status, members["status"])
	return members
}

func TestHandlerLimits(t *testing.T) {
	eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
		srv := serve(&enginehttp.Handler{Engine: guarding(t, anHourLeft()), Next: http.HandlerFunc(greet)})

		first := answered(t, srv, http.MethodGet)
		require.Equal(t, http.StatusOK, first.status)
		require.Equal(t, "hello", first.body)
		require.Equal(t, []string{`"default";q=1;w=3600`}, first.header.Values("RateLimit-Policy"))
		require.Equal(t, []string{`"default";r=0;t=3600`}, first.header.Values("RateLimit"))
		require.Empty(t, first.header.Values("Retry-After"))

		second := answered(t, srv, http.MethodGet)
		require.Equal(t, http.StatusTooManyRequests, second.status)
		require.Equal(t, []string{`"default";q=1;w=3600`}, second.header.Values("RateLimit-Policy"))
		require.Equal(t, []string{`"default";r=0;t=3600`}, second.header.Values("RateLimit"))
		require.Equal(t, []string{"3600"}, second.header.Values("Retry-After"))
		problem := problemOf(t, second)
		require.Equal(t, problemTypes+"quota-exceeded", problem["type"])
		require.Equal(t, []any{"default"}, problem["violated-policies"])

		head := answered(t, srv, http.MethodHead)
		require.Equal(t, http.StatusTooManyRequests, head.status)
		require.Empty(t, head.body)
		require.Equal(t, second.header.Get("Content-Length"), head.header.Get("Content-Length"))
	})
}

// TestHandlerHeadHasNoBody: net/http drops the body of an answer to HEAD, other writers may not.
func TestHandlerHeadHasNoBody(t *testing.T) {
	h := &enginehttp.Handler{Engine: guarding(t, oneIn(time.Hour)), Next: http.HandlerFunc(greet)}
	require.Equal(t, http.StatusOK, ask(t, h).status)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/", nil))
	require.Equal(t, http.StatusTooManyRequests, rec.Code)
	require.Empty(t, rec.Body.String())
}

func TestHandlerLimitsByKey(t *testing.T) {
	h := &enginehttp.Handler{Engine: guarding(t, oneIn(time.Hour)), Key: enginehttp.Header("x-tenant"), Next: http.HandlerFunc(greet)}
	for _, c := range []struct {
		tenant string
		want   int
	}{{"a", 200}, {"a", 429}, {"b", 200}, {"", 200}, {"", 429}} {
		rec := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if c.tenant != "" {
			r.Header.Set("X-Tenant", c.tenant)
		}
		h.ServeHTTP(rec, r)
		require.Equal(t, c.want, rec.Code, "%+v", c)
	}
}

// TestHandlerOpensTheBreaker: what counts as a failure is refused next time, and what does not is not.
func TestHandlerOpensTheBreaker(t *testing.T) {
	for _, c := range []struct {
		name  string
		next  http.HandlerFunc
		opens bool
	}{
		{"500", status(500), true},
		{"501", status(501), false},
		{"505", status(505), false},
		{"503", status(503), true},
		{"599", status(599), true},
		{"a panic", func(http.ResponseWriter, *http.Request) { panic("planted") }, true},
		{"a panic after an answer", func(w http.ResponseWriter, r *http.Request) { greet(w, r); panic("planted") }, true},
		{"an abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true},
		{"Goexit", func(http.ResponseWriter, *http.Request) { runtime.Goexit() }, true},
		{"nothing written", func(http.ResponseWriter, *http.Request) {}, false},
		{"no status", greet, false},
		{"301", status(301), false},
		{"404", status(404), false},
		{"429", status(429), false},
		{"499", status(499), false},
		{"500 too late", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); w.WriteHeader(500) }, false},
		{"500 after hints", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(500) }, true},
		{"200 after hints", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(200) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
				srv := serve(&enginehttp.Handler{Engine: guarding(t, opensAtOnce()), Next: c.next})
				first, err := send(t, srv, http.MethodPost)
				if err == nil && first.err == nil {
					require.NotEqual(t, "3600", first.header.Get("Retry-After"), "the first is admitted")
				}
				second, err := send(t, srv, http.MethodPost)
				if !c.opens {
					require.NoError(t, err)
					require.Equal(t, first.status, second.status)
					require.Empty(t, second.header.Values("Retry-After"))
					return
				}
				require.NoError(t, err)
				require.Equal(t, http.StatusServiceUnavailable, second.status)
				require.Equal(t, "3600", second.header.Get("Retry-After"))
				require.Empty(t, second.header.Values("RateLimit"), "there is no limit")
				require.Empty(t, second.header.Values("RateLimit-Policy"))
				problem := problemOf(t, second)
				require.Equal(t, problemTypes+"temporary-reduced-capacity", problem["type"])
				require.NotContains(t, problem, "violated-policies")
			})
		})
	}
}

// TestHandlerLeavesAPanicAlone: it goes on as the same value.
func TestHandlerLeavesAPanicAlone(t *testing.T) {
	value := new(int)
	h := &enginehttp.Handler{
		Engine: guarding(t, opensAtOnce()),
		Next:   http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(value) }),
	}
	require.PanicsWithValue(t, value, func() { ask(t, h) })
}

// TestHandlerClientGone: what fails because nobody is there to read it is no failure.
func TestHandlerClientGone(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	h := &enginehttp.Handler{
		Engine: guarding(t, opensAtOnce()),
		Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			leave()
			panic(http.ErrAbortHandler)
		}),
	}
	require.Panics(t, func() { askWith(ctx, h) })
	h.Next = http.HandlerFunc(greet) // no other goroutine is using it
	require.Equal(t, http.StatusOK, ask(t, h).status)
}

func TestHandlerWithoutItsFields(t *testing.T) {
	eng := guarding(t, oneIn(time.Hour))
	for message, h := range map[string]*enginehttp.Handler{
		"enginehttp: Handler.Engine is nil":       {Next: http.HandlerFunc(greet)},
		"enginehttp: Handler.Next is nil":         {Engine: eng},
		"enginehttp: Handler.Fields is Fields(9)": {Engine: eng, Next: http.HandlerFunc(greet), Fields: 9},
	} {
		for range 2 { // not only the first request
			require.PanicsWithValue(t, message, func() { ask(t, h) })
		}
	}
}
