package proxy_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

func TestRoutes(t *testing.T) {
	a, b, c, d := upstream(t, name("a")), upstream(t, name("b")), upstream(t, name("c")), upstream(t, name("d"))
	s := serve(t, "",
		route("/", a, ""), route("/api", b, `, "strip_prefix": true`), route("/api/v2/", c, ""), route("/", d, `, "host": "d.example"`),
		fmt.Sprintf(`{"path": "/base", "upstream": "%s/below/", "strip_prefix": true}`, a.URL))
	cl := client(t)
	for _, row := range []struct{ host, path, want string }{
		{"", "/", "a /"},
		{"", "/x/?q=1", "a /x/?q=1"},
		{"", "/x?a=1;b=2&c=%zz&d", "a /x?a=1;b=2&c=%zz&d"},
		{"", "/api", "b /"},
		{"", "/api/", "b /"},
		{"", "/api/x", "b /x"},
		{"", "/api/a%2Fb%20c?d=%2F", "b /a%2Fb%20c?d=%2F"},
		{"", "/%61pi/a%2Fb", "b /a%2Fb"},
		{"", "/apix", "a /apix"},
		{"", "/api/v2", "c /api/v2"},
		{"", "/api/v2/a%2Fb", "c /api/v2/a%2Fb"},
		{"", "/api/v22", "b /v22"},
		{"", "//api//v2/x", "c //api//v2/x"},
		{"", "//api/x//y", "b /x//y"},
		{"", "/base/x", "a /below/x"},
		{"", "/a.b/.c/...", "a /a.b/.c/..."},
		{"d.example", "/api", "d /api"},
		{"D.example:8080", "/api/x", "d /api/x"},
		{"e.example", "/", "a /"},
	} {
		headers := []string{}
		if row.host != "" {
			headers = []string{"Host", row.host}
		}
		r := get(t, cl, s.URL()+row.path, headers...)
		require.Equal(t, http.StatusOK, r.status, row.path)
		require.Equal(t, row.want, r.body, "%s%s", row.host, row.path)
	}
	var total uint64
	for _, status := range s.Status() {
		total += status.Requests
		require.Zero(t, status.Limited+status.Unavailable+status.Failed, status.Name)
	}
	require.EqualValues(t, 19, total)
}

func TestNoRoute(t *testing.T) {
	a := upstream(t, name("a"))
	s := serve(t, "", route("/a", a, ""))
	cl := client(t)
	r := get(t, cl, s.URL()+"/b")
	require.Equal(t, http.StatusNotFound, r.status)
	require.Equal(t, "application/problem+json", r.header.Get("Content-Type"))
	require.JSONEq(t, `{"type": "about:blank", "title": "Not Found", "status": 404}`, r.body)

	// What an upstream might take for another path.
	for _, path := range []string{"/a/../b", "/a/%2e%2E/b", "/a/.", "/a/..%2fb", "/a/..;/b", "/a/.;x=1"} {
		require.Equal(t, http.StatusBadRequest, get(t, cl, s.URL()+path).status, path)
	}
	require.Zero(t, s.Status()[0].Requests)
}

func TestLimiter(t *testing.T) {
	up := upstream(t, name("up"))
	s := serve(t, "",
		route("/ip", up, `, "limiter": {"rate": "2/h"}`),
		route("/key", up, `, "limiter": {"rate": "1/h"}, "key": {"header": "X-API-Key"}`))
	cl := client(t)
	for range 2 {
		r := get(t, cl, s.URL()+"/ip")
		require.Equal(t, http.StatusOK, r.status)
		require.NotEmpty(t, r.header.Get("RateLimit"))
	}
	r := get(t, cl, s.URL()+"/ip", "X-Forwarded-For", "10.0.0.1") // which nobody has said that one may trust
	require.Equal(t, http.StatusTooManyRequests, r.status)
	require.NotEmpty(t, r.header.Get("Retry-After"))
	require.NotEmpty(t, r.header.Get("RateLimit-Policy"))
	require.Equal(t, "application/problem+json", r.header.Get("Content-Type"))

	require.Equal(t, http.StatusOK, get(t, cl, s.URL()+"/key", "X-API-Key", "one").status)
	require.Equal(t, http.StatusOK, get(t, cl, s.URL()+"/key", "X-API-Key", "two").status)
	require.Equal(t, http.StatusTooManyRequests, get(t, cl, s.URL()+"/key", "X-API-Key", "one").status)

	all := s.Status()
	require.Equal(t, proxy.Status{Name: "/ip", Requests: 3, Limited: 1}, all[0])
	require.Equal(t, proxy.Status{Name: "/key", Requests: 3, Limited: 1}, all[1])
}

// A proxy that is trusted says who the client is; what that one says himself does not count.
func TestTrustedProxies(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s|%s|%s", r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-Host"))
	})
	headers := []string{"X-Forwarded-For", "192.0.2.9, 192.0.2.1", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "shop.example",
		"Host", "inner"}
	s := serve(t, `"trusted_proxies": 1,`, route("/", up, `, "limiter": {"rate": "1/h"}`))
	cl := client(t)
	require.Equal(t, "192.0.2.9, 192.0.2.1, 127.0.0.1|https|shop.example", get(t, cl, s.URL(), headers...).body)
	require.Equal(t, http.StatusTooManyRequests, get(t, cl, s.URL(), "X-Forwarded-For", "192.0.2.8, 192.0.2.1").status)
	require.Equal(t, http.StatusOK, get(t, cl, s.URL(), "X-Forwarded-For", "192.0.2.1, 192.0.2.2").status)

	s = serve(t, "", route("/", up, ""))
	require.Equal(t, "127.0.0.1|http|inner", get(t, cl, s.URL(), headers...).body)
}

func TestBreakerAndRetry(t *testing.T) {
	var asked atomic.Int64
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if n := asked.Add(1); n == 1 || n > 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	s := serve(t, "", route("/", up, `, "breaker": {"failures": 3, "recovery": "1h"}, "retry": {"attempts": 2, "base_delay": "1ms"}`))
	cl := client(t)
	require.Equal(t, http.StatusOK, get(t, cl, s.URL()).status) // the second attempt
	require.EqualValues(t, 2, asked.Load())
	require.Equal(t, http.StatusServiceUnavailable, get(t, cl, s.URL()).status) // both attempts
	require.Equal(t, http.StatusServiceUnavailable, get(t, cl, s.URL()).status) // one, and the breaker opens
	require.EqualValues(t, 5, asked.Load())

	r := get(t, cl, s.URL())
	require.EqualValues(t, 5, asked.Load(), "the upstream was asked although its breaker is open")
	require.Equal(t, http.StatusServiceUnavailable, r.status)
	require.Equal(t, "3600", r.header.Get("Retry-After"))
	require.Contains(t, r.body, "temporary-reduced-capacity")

	status := s.Status()[0]
	require.Equal(t, breaker.Open, status.Breaker)
	require.Positive(t, status.OpenFor)
	status.OpenFor = 0
	require.Equal(t, proxy.Status{Name: "/", Breaker: breaker.Open, Requests: 4, Unavailable: 1, Failed: 2}, status)
}

// The longest Retry-After that is heeded is max_delay, however long that is.
func TestRetryAfterIsHeededUpToMaxDelay(t *testing.T) {
	for after, heeded := range map[int]bool{60: true, 300: true, 301: false} {
		inBubble(t, func(t *bubble) {
			var asked []time.Duration // since the start
			begun := time.Now()
			up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, time.Since(begun))
				w.Header().Set("Retry-After", fmt.Sprint(after))
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			s := serve(t, "", route("/", up, `, "retry": {"max_delay": "5m", "attempts": 2}`))
			cl := client(t)
			cl.Timeout = time.Hour
			require.Equal(t, http.StatusServiceUnavailable, get(t, cl, s.URL()).status)
			if heeded {
				require.Len(t, asked, 2)
				require.GreaterOrEqual(t, asked[1], time.Duration(after)*time.Second)
			} else {
				require.Len(t, asked, 1)
				require.Zero(t, time.Since(begun))
			}
		})
	}
}

func TestUpstreamFailures(t *testing.T) {
	inBubble(t, func(t *bubble) {
		dead := upstream(t, nil)
		dead.Close()
		release := make(chan struct{})
		silent := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})
		defer close(release)
		s := serve(t, "", route("/dead", dead, ""),
			fmt.Sprintf(`{"path": "/silent", "upstream": %q, "timeout": "50ms", "breaker": {"failures": 1, "recovery": "1h"}}`, silent.URL))
		cl := client(t)
		r := get(t, cl, s.URL()+"/dead")
		require.Equal(t, http.StatusBadGateway, r.status)
		require.NotContains(t, r.body, dead.URL, "the client learns of the inside")
		require.Equal(t, http.StatusGatewayTimeout, get(t, cl, s.URL()+"/silent").status)
		require.Equal(t, http.StatusServiceUnavailable, get(t, cl, s.URL()+"/silent").status)
		require.EqualValues(t, 1, s.Status()[0].Failed)
		require.EqualValues(t, 1, s.Status()[1].Failed)
		require.EqualValues(t, 1, s.Status()[1].Unavailable)
	})
}

// The bytes of a connection beyond the burst take the time that the rate says.
func TestByteRate(t *testing.T) {
	inBubble(t, func(t *bubble) {
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			headerFirst(w)
			_, _ = w.Write(make([]byte, 64<<10))
		})
		s := serve(t, `"connection": {"rate": "256KiB/s", "burst": "4KiB"},`, route("/", up, ""))
		begun := time.Now()
		require.Len(t, get(t, client(t), s.URL()).body, 64<<10)
		require.InEpsilon(t, 60*time.Second/256, time.Since(begun), 0.02, "the body without the burst")
	})
}

func TestAnswersAreProblems(t *testing.T) {
	up := upstream(t, name("up"))
	s := serve(t, "", route("/", up, `, "limiter": {"rate": "1/h"}`))
	cl := client(t)
	get(t, cl, s.URL())
	var problem struct {
		Type, Title string
		Status      int
	}
	require.NoError(t, json.Unmarshal([]byte(get(t, cl, s.URL()).body), &problem))
	require.Equal(t, http.StatusTooManyRequests, problem.Status)
	require.NotEmpty(t, problem.Title)
	resp, err := cl.Head(s.URL())
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
}
