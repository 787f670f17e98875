package proxy_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Limits do not concern requests that are exempt. The breaker of the upstream concerns all
// requests.
func TestExemptions(t *testing.T) {
	for _, stages := range []string{
		`, "limiter": {"rate": "1/h"}`, `, "limiter": {"rate": "1/h"}, "breaker": {"failures": 1, "recovery": "1h"}, "retry": {}`,
	} {
		inBubble(t, func(t *bubble) {
			up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/health/bad" {
					w.WriteHeader(http.StatusInternalServerError)
				}
			})
			s := serve(t, `"trusted_proxies": 1, "exempt": {"addresses": ["10.0.0.0/8", "2001:db8::/48", "192.0.2.1"], "paths": ["/health/"]},`, route("/", up, stages))
			cl := client(t)
			ask := func(path, address string) int { return get(t, cl, s.URL()+path, "X-Forwarded-For", address).status }
			for range 2 {
				for _, address := range []string{"10.9.8.7", "2001:db8:0:9::1", "192.0.2.1"} {
					require.Equal(t, http.StatusOK, ask("/", address), address)
				}
				for _, path := range []string{"/health", "/health/x"} {
					require.Equal(t, http.StatusOK, ask(path, "198.51.100.1"), path)
				}
			}
			for _, address := range []string{"11.0.0.1", "2001:db8:1::1", "192.0.2.2", "not an address"} {
				require.Equal(t, http.StatusOK, ask("/", address), address)
				require.Equal(t, http.StatusTooManyRequests, ask("/healthy", address), address)
				require.Equal(t, http.StatusTooManyRequests, ask("/HEALTH", address), address)
			}
			require.Empty(t, get(t, cl, s.URL()+"/health").header.Get("RateLimit"))
			require.Equal(t, http.StatusInternalServerError, ask("/health/bad", "10.0.0.1"))
			again := http.StatusInternalServerError
			if s.Status()[0].OpenFor > 0 {
				again = http.StatusServiceUnavailable
			}
			require.Equal(t, again, ask("/health/bad", "10.0.0.1"))
		})
	}
}

// An exemption comes and goes with a reload; and concerns a limit by header, too.
func TestReloadOfExemptions(t *testing.T) {
	inBubble(t, func(t *bubble) {
		const stages = `, "key": {"header": "X-API-Key"}, "limiter": {"rate": "1/h"}, "address_limiter": {"rate": "2/h"}`
		up := upstream(t, name("up"))
		s := serve(t, "", route("/", up, stages))
		cl := client(t)
		require.Equal(t, http.StatusOK, get(t, cl, s.URL()).status)
		require.Equal(t, http.StatusTooManyRequests, get(t, cl, s.URL()).status)
		reload(t, s, `"exempt": {"addresses": ["192.0.2.0/24"]},`, route("/", up, stages))
		for range 3 {
			require.Equal(t, http.StatusOK, get(t, cl, s.URL()).status)
		}
		reload(t, s, "", route("/", up, stages))
		require.Equal(t, http.StatusTooManyRequests, get(t, cl, s.URL()).status)
	})
}
