package enginehttp_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// keyOfHost is the key that a Transport gives to a request for a URL with this scheme and host.
func keyOfHost(t *testing.T, scheme, host string) string {
	t.Helper()
	eng := transportEngine(t, engine.Config{Breaker: counting})
	tr := &enginehttp.Transport{Engine: eng, Base: transportFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusInternalServerError, Body: http.NoBody}, nil
	})}
	req := &http.Request{URL: &url.URL{Scheme: scheme, Host: host}, Header: http.Header{}}
	_, err := tr.RoundTrip(req)
	require.NoError(t, err)
	for key := range eng.Keys() {
		return key
	}
	t.Fatal("no key")
	return ""
}

// TestSpellingsOfAHost that reach the same server have the same key.
func TestSpellingsOfAHost(t *testing.T) {
	for _, c := range []struct{ scheme, host, key string }{
		{"http", "example.com", "example.com"},
		{"http", "EXAMPLE.com", "example.com"},
		{"http", "example.com:80", "example.com"},
		{"http", "example.com:", "example.com"},
		{"http", "example.com:0080", "example.com"},
		{"http", "example.com:00000000000000000000080", "example.com"},
		{"http", "example.com.", "example.com"},
		{"http", "example.com..", "example.com"},
		{"http", "Example.COM.:080", "example.com"},
		{"https", "example.com:443", "example.com"},
		{"https", "example.com:0443", "example.com"},
		{"https", "example.com:80", "example.com:80"},
		{"http", "example.com:443", "example.com:443"},
		{"http", "example.com:8080", "example.com:8080"},
		{"http", "example.com:008080", "example.com:8080"},
		{"http", "example.com.:8080", "example.com:8080"},
		{"http", "example.com:0", "example.com:0"},
		{"http", "example.com:000", "example.com:0"},
		{"unix", "example.com:80", "example.com:80"},
		{"http", "user:secret@example.com:80", "example.com"},
		{"http", "127.0.0.1:0080", "127.0.0.1"},
		{"http", "127.0.0.1.", "127.0.0.1"},
		{"http", "127.1", "127.0.0.1"},
		{"http", "0x7f.1", "127.0.0.1"},
		{"http", "0X7F000001", "127.0.0.1"},
		{"http", "2130706433", "127.0.0.1"},
		{"http", "017700000001:80", "127.0.0.1"},
		{"http", "127.000.000.001", "127.0.0.1"},
		{"http", "127.0.0.256", "127.0.0.256"},
		{"http", "1.2.3.4.5", "1.2.3.4.5"},
		{"http", "4294967296", "4294967296"},
		{"http", "127.0.0.08", "127.0.0.08"},
		{"http", "127.0..1", "127.0..1"},
		{"http", "0x", "0x"},
		{"http", "1.example", "1.example"},
		{"http", "[::1]", "[::1]"},
		{"http", "[0:0:0:0:0:0:0:1]:80", "[::1]"},
		{"http", "[2001:DB8::0001]:8080", "[2001:db8::1]:8080"},
		{"http", "[::ffff:127.0.0.1]", "127.0.0.1"},
		{"http", "[::FFFF:7f00:1]:0080", "127.0.0.1"},
		{"http", "[fe80::1%Eth0]", "[fe80::1%Eth0]"},
		{"http", "::1", "[::1]"},
		{"http", "[::1", "[::1"},
		{"http", "[::1]x", "[::1]x"},
		{"http", "[Name]:80", "[name]:80"},
		{"http", "xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"http", "b\u00fccher.example", "xn--bcher-kva.example"},
		{"http", "B\u00dcCHER.example.:80", "xn--bcher-kva.example"},
		{"http", "xn--\u00fc.example", "xn--\u00fc.example"},
		{"http", "a\u00fc\r\nx", "a\u00fc\r\nx"},
		{"http", "b%C3%BCcher.example", "xn--bcher-kva.example"},
		{"http", "%45x%61mple%2ecom%2E:80", "example.com"},
		{"http", "127.0.0.%31", "127.0.0.1"},
		{"http", "a%3A80", "a%3a80"},
		{"http", "a%2fb", "a%2fb"},
		{"http", "a%2545", "a%2545"},
		{"http", "a%zz", "a%zz"},
		{"http", "a%0a", "a%0a"},
		{"http", "example.com:http", "example.com:http"},
		{"http", "example.com:8x", "example.com:8x"},
		{"http", "a:b:c", "a:b:c"},
		{"http", ":80", ""},
		{"http", ".", ""},
		{"http", "", ""},
	} {
		require.Equal(t, c.key, keyOfHost(t, c.scheme, c.host), "%s://%s", c.scheme, c.host)
	}
}

// TestLongKeysAreNotKept, wherever they come from; different ones stay different.
func TestLongKeysAreNotKept(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	require.Equal(t, 64, len(keyOfHost(t, "http", long)))
	require.NotEqual(t, keyOfHost(t, "http", long), keyOfHost(t, "http", long+"b"))
	require.Equal(t, keyOfHost(t, "http", long), keyOfHost(t, "http", strings.ToUpper(long)+".:80"), "it is shortened after all else")
	require.Equal(t, long[:256], keyOfHost(t, "http", long[:256]))

	eng := guarding(t, oneIn(time.Hour))
	h := &enginehttp.Handler{Engine: eng, Key: func(*http.Request) string { return long }, Next: http.HandlerFunc(greet)}
	require.Equal(t, http.StatusOK, ask(t, h).status)
	require.Equal(t, http.StatusTooManyRequests, ask(t, h).status)
	tr := &enginehttp.Transport{Engine: eng, Key: func(*http.Request) string { return long }, Base: transportFunc(nil)}
	_, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
	require.True(t, isA[*engine.Rejection](err), "%v", err)
	for key := range eng.Keys() {
		require.Equal(t, 64, len(key))
	}
	require.Equal(t, 1, eng.Stats().Keys)
}

// TestAHostAsAKey has one spelling, too.
func TestAHostAsAKey(t *testing.T) {
	key := enginehttp.Header("host")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.org/", nil)
	for host, want := range map[string]string{
		"example.org": "example.org", "EXAMPLE.org:80": "example.org", "example.org.": "example.org", "example.org:0443": "example.org:443",
	} {
		r.Host = host
		require.Equal(t, want, key(r))
	}
	r.TLS, r.Host = &tls.ConnectionState{}, "example.org:443"
	require.Equal(t, "example.org", key(r))
}

// TestAKeyFieldWithSeveralLines is a bad request: which of them is meant, nobody can know.
func TestAKeyFieldWithSeveralLines(t *testing.T) {
	eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
		key := enginehttp.Header("X-API-Key")
		for name, fn := range map[string]func(*http.Request) string{
			"alone":    key,
			"combined": func(r *http.Request) string { return "tenant " + key(r) + " " + r.Method },
		} {
			t.Run(name, func(t *testing.T) {
				called := 0
				h := &enginehttp.Handler{
					Engine: guarding(t, oneIn(time.Hour)), Key: fn,
					Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ }),
					Refuse: func(http.ResponseWriter, *http.Request, *engine.Rejection) {
						t.Error("that is no refusal of the engine")
					},
				}
				srv := serve(h)
				for _, lines := range [][]string{{"a", "b"}, {"a", "a"}, {"", "a"}, {"a", ""}, {"a", "b", "c"}} {
					req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
					require.NoError(t, err)
					req.Header["X-Api-Key"] = lines
					resp, err := srv.Client().Do(req)
					require.NoError(t, err)
					r := reply{resp.StatusCode, resp.Header, readAll(t, resp), nil}
					require.Equal(t, http.StatusBadRequest, r.status, "%q", lines)
					require.Equal(t, "about:blank", problemOf(t, r)["type"])
					require.Empty(t, r.header.Values("RateLimit-Policy"))
				}
				require.Zero(t, called)
				require.Zero(t, h.Engine.Stats().Keys)
			})
		}
	})
}

// FuzzHost: a key is bounded, is its own key, and no other for more capitals, dots or zeros.
func FuzzHost(f *testing.F) {
	for _, host := range []string{
		"example.com:0080", "u:p@h.", "a%41%2e", "[::ffff:1.2.3.4%a]:80", "127.1", "0x7f.0.0.010:1", "B\u00dcCHER.example", "[1:2]", "xn--\u00fc", "\xff", "a:b:c",
	} {
		f.Add(host, false)
		f.Add(host, true)
	}
	key := enginehttp.Header("Host")
	f.Fuzz(func(t *testing.T, host string, secure bool) {
		of := func(host string) string {
			r := &http.Request{Host: host}
			if secure {
				r.TLS = &tls.ConnectionState{}
			}
			return key(r)
		}
		k := of(host)
		require.LessOrEqual(t, len(k), 256)
		require.Equal(t, k, of(k), "%q", host)
		if u, err := url.Parse("http://" + host); err == nil && u.Host == host && u.User == nil && host != "" && !strings.Contains(host, "%") {
			name, port := strings.ToUpper(u.Hostname()), u.Port()
			if strings.ToLower(name) != u.Hostname() || strings.HasPrefix(host, "[") {
				return
			}
			if port == "" {
				require.Equal(t, k, of(name+".:"))
			} else {
				require.Equal(t, k, of(name+".:00"+port))
			}
		}
	})
}
