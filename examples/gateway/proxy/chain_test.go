package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// remaining returns what an answer tells to be left of the limit.
func remaining(t testing.TB, r reply) int {
	t.Helper()
	var left, reset int
	_, err := fmt.Sscanf(r.header.Get("RateLimit"), `"default";r=%d;t=%d`, &left, &reset)
	require.NoError(t, err, "%q", r.header.Get("RateLimit"))
	return left
}

// The limits and the breaker decide together: a request that the breaker of the upstream refuses costs
// neither the client nor its address anything, and a retry costs the client no second token.
func TestARefusedRequestCostsNothing(t *testing.T) {
	inBubble(t, func(t *bubble) {
		var asked atomic.Int64
		up := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		s := serve(t, "", route("/", up, `, "key": {"header": "X-API-Key"}, "limiter": {"rate": "10/h"}, "address_limiter": {"rate": "20/h"},
			"breaker": {"failures": 3, "recovery": "10m"}, "retry": {"attempts": 3, "base_delay": "1ms"}`))
		cl := client(t)
		r := get(t, cl, s.URL(), "X-API-Key", "one")
		require.Equal(t, http.StatusServiceUnavailable, r.status)
		require.EqualValues(t, 3, asked.Load())
		require.Equal(t, 9, remaining(t, r), "a retry takes a token of the client")
		for range 12 {
			r = get(t, cl, s.URL(), "X-API-Key", "one")
			require.Equal(t, http.StatusServiceUnavailable, r.status)
			require.Equal(t, "600", r.header.Get("Retry-After"))
			require.Equal(t, 9, remaining(t, r), "a request that the breaker refuses takes a token of the client")
		}
		require.EqualValues(t, 3, asked.Load())
		status := s.Status()[0]
		require.EqualValues(t, 12, status.Unavailable)
		require.Zero(t, status.Limited)
	})
}

// The limit that refuses is the limit that the answer tells.
func TestTheLimitThatRefusesIsTold(t *testing.T) {
	inBubble(t, func(t *bubble) {
		s := serve(t, "", route("/", upstream(t, name("up")), `, "key": {"header": "X-API-Key"}, "limiter": {"rate": "2/h"}, "address_limiter": {"rate": "4/h"}`))
		cl := client(t)
		for i, want := range []struct {
			key    string
			status int
			policy string
			after  string
		}{
			{"one", 200, `"default";q=2;w=3600`, ""},
			{"one", 200, `"default";q=2;w=3600`, ""},
			{"one", 429, `"default";q=2;w=3600`, "1800"},
			{"two", 200, `"default";q=2;w=3600`, ""},
			{"two", 200, `"default";q=2;w=3600`, ""},
			{"three", 429, `"default";q=4;w=3600`, "900"},
		} {
			r := get(t, cl, s.URL(), "X-API-Key", want.key)
			require.Equal(t, want.status, r.status, i)
			require.Equal(t, want.policy, r.header.Get("RateLimit-Policy"), i)
			require.Equal(t, want.after, r.header.Get("Retry-After"), i)
			if want.status == http.StatusTooManyRequests {
				require.Zero(t, remaining(t, r))
				require.JSONEq(t, `{"type": "https://iana.org/assignments/http-problem-types#quota-exceeded", "title": "Too Many Requests", "status": 429}`, r.body)
			}
		}
		require.Equal(t, proxy.Status{Name: "/", Requests: 6, Limited: 2}, s.Status()[0])
	})
}

// The answer of an upstream that has a limit of its own tells that limit alone.
func TestTheLimitOfTheUpstreamIsTold(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("RateLimit", `"own";r=1;t=1`) })
	s := serve(t, "", route("/", up, `, "limiter": {"rate": "2/h"}`))
	r := get(t, client(t), s.URL())
	require.Equal(t, []string{`"own";r=1;t=1`}, r.header.Values("RateLimit"))
	require.Empty(t, r.header.Values("RateLimit-Policy"))
}

// A client that is above its limit has the answer before its body, also if the breaker is half-open.
func TestALimitedClientIsNotAskedForItsBody(t *testing.T) {
	inBubble(t, func(t *bubble) {
		s, f := halfOpen(t, `, "limiter": {"rate": "2/h"}`)
		f.well.Store(false)
		require.Equal(t, http.StatusServiceUnavailable, get(t, client(t), s.URL()).status) // the last token
		settle(s.Status()[0].OpenFor)
		conn := slow(t, s, 1000, 3)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
		require.NoError(t, conn.Close())
	})
}

// A probe with a body costs one token, as any other request does.
func TestAProbeCostsOneToken(t *testing.T) {
	for _, size := range []int{100, 100_000} {
		inBubble(t, func(t *bubble) {
			s, f := halfOpen(t, `, "limiter": {"rate": "2/h"}`)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(), io.MultiReader(strings.NewReader(strings.Repeat("x", size))))
			require.NoError(t, err)
			req.ContentLength = int64(size)
			r := send(t, client(t), req) // with the last token
			require.Equal(t, http.StatusOK, r.status)
			require.Equal(t, fmt.Sprint(size), r.body)
			require.Zero(t, remaining(t, r))
			<-f.came
		})
	}
}
