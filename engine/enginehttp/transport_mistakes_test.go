package enginehttp_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// brokenReader reads text, and then fails.
type brokenReader struct {
	text string
	err  error
}

func (r *brokenReader) Read(p []byte) (int, error) {
	if r.text == "" {
		return 0, r.err
	}
	n := copy(p, r.text)
	r.text = r.text[n:]
	return n, nil
}

var errDiskGone = errors.New("disk gone")

// mistakes are requests that a caller got wrong. Each is made from one that a server answers with 200.
var mistakes = map[string]func(*http.Request){
	"a line break in a header":  func(r *http.Request) { r.Header.Set("X-Bad", "a\nb") },
	"a NUL in a header":         func(r *http.Request) { r.Header.Set("X-Bad", "a\x00b") },
	"a header's name":           func(r *http.Request) { r.Header["bad name"] = []string{"a"} },
	"an empty name":             func(r *http.Request) { r.Header[""] = []string{"a"} },
	"a line break in a trailer": func(r *http.Request) { r.Trailer = http.Header{"X-Bad": {"a\r\nb"}} },
	"a trailer's name":          func(r *http.Request) { r.Trailer = http.Header{"Content-Length": {"1"}}; setBody(r, -1, "x") },
	"no URL":                    func(r *http.Request) { r.URL = nil },
	"no header":                 func(r *http.Request) { r.Header = nil },
	"no host":                   func(r *http.Request) { r.URL.Host = "" },
	"the scheme ftp":            func(r *http.Request) { r.URL.Scheme = "ftp" },
	"no scheme":                 func(r *http.Request) { r.URL.Scheme = "" },
	"a method":                  func(r *http.Request) { r.Method = "G E T" },
	"a control character":       func(r *http.Request) { r.URL.Opaque = "/a\nb" },
	"a port":                    func(r *http.Request) { r.URL.Host = "127.0.0.1:99999" },
	"a name that is no IDN":     func(r *http.Request) { r.Host = "xn--\u00fc.example" },
	"a length without a body":   func(r *http.Request) { r.ContentLength = 3 },
	"a body that fails":         func(r *http.Request) { r.Body = io.NopCloser(&brokenReader{"abc", errDiskGone}) },
	"a body that fails at once": func(r *http.Request) { r.Body = io.NopCloser(&brokenReader{"", errDiskGone}) },
	"a body cut short": func(r *http.Request) {
		r.Body = io.NopCloser(&brokenReader{"abc", io.ErrUnexpectedEOF})
	},
	"a body that looks like a reset": func(r *http.Request) {
		r.Body = io.NopCloser(&brokenReader{"abc", &net.OpError{Op: "read", Err: syscall.ECONNRESET}})
	},
	"a body that looks like a timeout": func(r *http.Request) {
		r.Body = io.NopCloser(&brokenReader{"abc", os.ErrDeadlineExceeded})
	},
	"a body with a length that fails": func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(&brokenReader{"abc", errDiskGone}), 100
	},
	"a body that can be had again and fails": func(r *http.Request) {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(&brokenReader{"abc", errDiskGone}), nil }
		r.Body, _ = r.GetBody()
	},
	"a directory for a body":    func(r *http.Request) { r.Body, _ = os.Open("testdata") },
	"a closed file for a body":  func(r *http.Request) { f, _ := os.Open("doc.go"); _ = f.Close(); r.Body, r.ContentLength = f, 5 },
	"a body that is too short":  func(r *http.Request) { setBody(r, 5, "abc") },
	"a body that is too long":   func(r *http.Request) { setBody(r, 2, "abc") },
	"a stream that is too long": func(r *http.Request) { setBody(r, 2, "abc"); r.Body = io.NopCloser(io.MultiReader(r.Body)) },
	"a stream that is short":    func(r *http.Request) { setBody(r, 5, "abc"); r.Body = io.NopCloser(io.MultiReader(r.Body)) },
}

// setBody gives a request a body that does not have the length that it claims.
func setBody(r *http.Request, length int64, text string) {
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	r.Body, _ = r.GetBody()
	r.ContentLength = length
}

// TestACallersMistakeIsNoFailure of the host that it names, and is made once. The error is that of Base.
func TestACallersMistakeIsNoFailure(t *testing.T) {
	for protocol, start := range map[string]func(*testing.T) *upstreamServer{
		"HTTP/1.1": func(t *testing.T) *upstreamServer { return startUpstream(t, swallow) },
		"HTTP/2.0": func(t *testing.T) *upstreamServer { return startUpstream2(t, swallow) },
	} {
		t.Run(protocol, func(t *testing.T) {
			u := start(t)
			u.Config.ErrorLog = quiet
			for name, spoil := range mistakes {
				t.Run(name, func(t *testing.T) {
					eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
					audit := &auditBase{RoundTripper: u.Client().Transport}
					tr := &enginehttp.Transport{Engine: eng, Base: audit, Key: func(*http.Request) string { return "k" }}
					req := newRequest(t, "PUT", u.URL, nil)
					if spoil(req); name == "a control character" && protocol == "HTTP/2.0" {
						req.URL.Opaque = "no path" // which is a mistake of HTTP/2 only, as the other is of HTTP/1
					}
					resp, err := tr.RoundTrip(req)
					if err == nil && (protocol == "HTTP/2.0" || strings.Contains(name, "too long")) {
						readAll(t, resp) // net/http does not look, or the server answers before it has
						return
					}
					require.Error(t, err)
					if strings.Contains(name, "fails") {
						require.ErrorIs(t, err, errDiskGone)
					}
					require.EqualValues(t, 1, audit.sent.Load())
					require.Zero(t, failuresOf(t, eng, "k"), "%v", err)
				})
			}
		})
	}
}

// swallow answers 200 to a request whose body it could read.
func swallow(_ int64, w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err == nil {
		respond(w, http.StatusOK)
	}
}

// TestMistakesThatOnlyHTTP2Knows, and that HTTP/1 passes on.
func TestMistakesThatOnlyHTTP2Knows(t *testing.T) {
	u := startUpstream2(t, swallow)
	for _, header := range []http.Header{
		{"Connection": {"upgrade"}}, {"Upgrade": {"h2c"}}, {"Transfer-Encoding": {"gzip"}},
		{"X-Large": {strings.Repeat("x", 2<<20)}}, {"Host": {"a b"}},
	} {
		eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
		client, tr := u.guarded(eng)
		audit := &auditBase{RoundTripper: tr.Base}
		tr.Base = audit
		resp, err := client.Get(u.URL) // so that what the server accepts is known
		require.NoError(t, err)
		readAll(t, resp)
		req := newRequest(t, "GET", u.URL, nil)
		req.Header, req.Host = header, header.Get("Host")
		_, err = tr.RoundTrip(req)
		require.Error(t, err)
		require.EqualValues(t, 2, audit.sent.Load())
		require.Zero(t, failuresOf(t, eng, u.host()), "%v", err)
	}
}

// TestMistakesInAnotherTransport: golang.org/x/net/http2 as Base, which checks fewer things before it connects.
func TestMistakesInAnotherTransport(t *testing.T) {
	for _, text := range []string{`invalid HTTP header field value for "X-Bad"`, `invalid HTTP trailer field name "bad name"`} {
		eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
		audit := &auditBase{RoundTripper: transportFunc(func(*http.Request) (*http.Response, error) {
			return nil, errors.Join(io.ErrUnexpectedEOF, fmt.Errorf("stream 1: %w", errors.New(text)))
		})}
		_, err := (&enginehttp.Transport{Engine: eng, Base: audit}).RoundTrip(newRequest(t, "GET", "http://h/", nil))
		require.ErrorContains(t, err, text)
		require.EqualValues(t, 1, audit.sent.Load())
		require.Zero(t, failuresOf(t, eng, "h"))
	}
}

// TestAHostHeaderThatAProxyRefuses: HTTP/1 tells nobody but a proxy.
func TestAHostHeaderThatAProxyRefuses(t *testing.T) {
	u := startUpstream(t, swallow)
	eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
	_, tr := u.guarded(eng)
	base := bare(t)
	base.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(u.URL) }
	tr.Base = base
	req := newRequest(t, "GET", "http://upstream.example/", nil)
	req.Host = "a b"
	_, err := tr.RoundTrip(req)
	require.ErrorContains(t, err, "invalid Host header")
	require.Zero(t, failuresOf(t, eng, "upstream.example"), "%#v %v", err, err)
	require.Zero(t, u.requests.Load())
}
