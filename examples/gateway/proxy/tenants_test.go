package proxy_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A tenant has the limit of the file, other keys have the limit for all; and a reload that changes
// one tenant keeps the tokens.
func TestTenants(t *testing.T) {
	inBubble(t, func(t *bubble) {
		up := upstream(t, name("up"))
		limit := func(tenants string) string {
			return route("/", up, fmt.Sprintf(`, "key": {"header": "X-API-Key"}, "limiter": {"rate": "2/h", "tenants": {%s}}`, tenants))
		}
		s := serve(t, "", limit(`"acme": {"rate": "5/h"}, "small": {"rate": "1/h"}`))
		cl := client(t)
		ask := func(key string) reply { return get(t, cl, s.URL(), "X-API-Key", key) }
		for key, want := range map[string]int{"acme": 5, "small": 1, "other": 2} {
			r := ask(key)
			require.Equal(t, fmt.Sprintf(`"default";q=%d;w=3600`, want), r.header.Get("RateLimit-Policy"), key)
			require.Equal(t, want-1, remaining(t, r), key)
		}
		require.Equal(t, http.StatusTooManyRequests, ask("small").status)
		reload(t, s, "", limit(`"acme": {"rate": "9/h"}, "other": {"rate": "9/h"}`))
		require.Equal(t, 3, remaining(t, ask("acme")))
		require.Equal(t, 0, remaining(t, ask("other")))
		r := ask("small")
		require.Equal(t, http.StatusTooManyRequests, r.status)
		require.Equal(t, `"default";q=2;w=3600`, r.header.Get("RateLimit-Policy"))
	})
}
