package admin

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A scrape has the figures of every engine, by route, also after a reload, and those of the process.
func TestMetrics(t *testing.T) {
	const site = `{"name": "site", "path": "/", "upstream": "http://192.0.2.1:9001", "limiter": {"rate": "1/h"}}`
	g := gatewayOf(t, byKey, site)
	s := &Server{gateway: g}
	h := s.handler(nil)
	scrape := func() string {
		rec, req := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
		req.Host = "localhost"
		h.ServeHTTP(rec, req)
		require.Equal(t, http.StatusOK, rec.Code, rec.Body)
		require.NotContains(t, rec.Body.String(), "secret")
		return rec.Body.String()
	}
	for range 5 {
		guard(t, g, "api", "client").Engine.Allow("secret")
	}
	guard(t, g, "site", "client").Engine.Allow("192.0.2.7")
	fail(t, guard(t, g, "api", "upstream"), "192.0.2.1:9000")
	text := scrape()
	for _, line := range []string{
		`limitpal_decisions_total{engine="client",result="limited",route="api"} 2`,
		`limitpal_decisions_total{engine="client",result="admitted",route="site"} 1`,
		`limitpal_decisions_total{engine="address",result="admitted",route="api"} 0`,
		`limitpal_breaker_keys{engine="upstream",route="api",state="open"} 1`,
		`limitpal_policy_revision{engine="client",route="api"} 0`,
	} {
		require.True(t, strings.Contains(text, "\n"+line+"\n"), line)
	}
	require.True(t, strings.Contains(text, "\ngo_goroutines "))

	require.NoError(t, g.Reload(load(t, byKey)))
	text = scrape()
	for line, is := range map[string]bool{
		`limitpal_decisions_total{engine="client",result="limited",route="api"} 2`: true,
		`limitpal_policy_revision{engine="client",route="api"} 1`:                  true,
		`limitpal_policy_revision{engine="client",route="site"} 0`:                 false,
	} {
		require.Equal(t, is, strings.Contains(text, "\n"+line+"\n"), line)
	}
}
