package enginehttp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// thrice retries twice, at once.
var thrice = &retry.Policy{MaxAttempts: 3, BaseDelay: time.Nanosecond, Jitter: retry.NoJitter}

// counting is a breaker that counts and does not open.
var counting = &breaker.Policy{FailureThreshold: 1_000_000}

// transportEngine makes an engine that is closed when the test ends. In a bubble, call it inside.
func transportEngine(t testing.TB, cfg engine.Config) *engine.Engine {
	t.Helper()
	eng, err := engine.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close(context.Background())) })
	return eng
}

// failuresOf is what the breaker of key has counted.
func failuresOf(t *testing.T, eng *engine.Engine, key string) int {
	t.Helper()
	s, known := eng.Inspect(key)
	require.True(t, known, "key %q is not known", key)
	return s.Failures
}

// upstreamServer is an HTTP server on loopback that counts its requests.
type upstreamServer struct {
	*httptest.Server
	requests atomic.Int64
}

// startUpstream starts a server whose handler is told which request it is, from 1.
func startUpstream(t testing.TB, handle func(n int64, w http.ResponseWriter, r *http.Request)) *upstreamServer {
	t.Helper()
	u := newUpstream(handle)
	u.Start()
	t.Cleanup(u.Close)
	return u
}

// newUpstream is for servers that are not started yet.
func newUpstream(handle func(n int64, w http.ResponseWriter, r *http.Request)) *upstreamServer {
	u := &upstreamServer{}
	u.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handle(u.requests.Add(1), w, r)
	}))
	return u
}

// host is the key that the server goes by.
func (u *upstreamServer) host() string { return u.Listener.Addr().String() }

// guarded is a client of the server under the guard of eng, with the server's own transport, which is closed with it, as Base.
func (u *upstreamServer) guarded(eng *engine.Engine) (*http.Client, *enginehttp.Transport) {
	tr := &enginehttp.Transport{Engine: eng, Base: u.Client().Transport}
	return &http.Client{Transport: tr}, tr
}

// transportFunc is a Base of a test's own.
type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// auditBase counts the attempts, and the bodies of the responses that Base gives.
type auditBase struct {
	http.RoundTripper
	sent, opened, closed, ended atomic.Int64
}

func (a *auditBase) RoundTrip(r *http.Request) (*http.Response, error) {
	a.sent.Add(1)
	resp, err := a.RoundTripper.RoundTrip(r)
	if err == nil {
		a.opened.Add(1)
		resp.Body = &auditBody{ReadCloser: resp.Body, audit: a}
	}
	return resp, err
}

type auditBody struct {
	io.ReadCloser
	audit         *auditBase
	closed, ended atomic.Bool
}

func (b *auditBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && !b.ended.Swap(true) {
		b.audit.ended.Add(1)
	}
	return n, err
}

func (b *auditBody) Close() error {
	if !b.closed.Swap(true) {
		b.audit.closed.Add(1)
	}
	return b.ReadCloser.Close()
}

// closeCounter is the body of a request.
type closeCounter struct {
	io.Reader
	closed atomic.Int64
}

func (c *closeCounter) Close() error { c.closed.Add(1); return nil }

// readAll reads a response to its end and closes it.
func readAll(t testing.TB, resp *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return string(body)
}

// newRequest makes a request with the test's context. It has no GetBody if body is not one of the readers that net/http knows.
func newRequest(t testing.TB, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	return req
}
