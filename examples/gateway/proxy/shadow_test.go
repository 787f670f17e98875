package proxy_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A limit on trial refuses nothing, is told to no client, and counts the refusals that there would
// have been. A reload puts the limit into force with the tokens that are left.
func TestALimitOnTrial(t *testing.T) {
	inBubble(t, func(t *bubble) {
		up := upstream(t, name("up"))
		s := serve(t, "", route("/", up, `, "limiter": {"rate": "2/h", "shadow": true}, "breaker": {}`))
		cl := client(t)
		for range 5 {
			r := get(t, cl, s.URL())
			require.Equal(t, http.StatusOK, r.status)
			require.Empty(t, r.header.Get("RateLimit"))
		}
		require.EqualValues(t, 3, s.Status()[0].Shadow)
		require.Zero(t, s.Status()[0].Limited)
		reload(t, s, "", route("/", up, `, "limiter": {"rate": "2/h"}, "breaker": {}`))
		require.Equal(t, http.StatusTooManyRequests, get(t, cl, s.URL()).status)
		require.EqualValues(t, 3, s.Status()[0].Shadow)
		require.EqualValues(t, 1, s.Status()[0].Limited)
	})
}

// Beside a limit on trial the other limit is in force.
func TestALimitOnTrialBesideAnother(t *testing.T) {
	for _, row := range []struct{ stages, policy string }{
		{`"limiter": {"rate": "2/h"}, "address_limiter": {"rate": "1/h", "shadow": true}`, `"default";q=2;w=3600`},
		{`"limiter": {"rate": "1/h", "shadow": true}, "address_limiter": {"rate": "2/h"}`, `"default";q=2;w=3600`},
	} {
		inBubble(t, func(t *bubble) {
			s := serve(t, "", route("/", upstream(t, name("up")), `, "key": {"header": "X-API-Key"}, `+row.stages))
			for _, want := range []int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
				r := get(t, client(t), s.URL(), "X-API-Key", "one")
				require.Equal(t, want, r.status)
				require.Equal(t, row.policy, r.header.Get("RateLimit-Policy"))
			}
			require.Positive(t, s.Status()[0].Shadow)
		})
	}
}
