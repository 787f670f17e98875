package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// Pathless are targets that have a scheme, and neither a host nor a path. net/http sends what
// follows the scheme in place of a path.
var Pathless = []string{
	"http:http://internal.example/a/../admin", "x:http://internal.example/admin?a=b", "http:*", "http:foo", "http:admin/x",
	"http:", "http:?a=b", "http://", "http://?a=b", "HTTP:https://internal.example/a", "a+b.c:%2e%2e",
}

// A target without a path reaches no upstream that speaks HTTP/2 either.
func TestTargetsWithoutAPathDoNotReachHTTP2(t *testing.T) {
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/well" {
			t.Errorf("the upstream got %q", r.RequestURI)
		}
	}))
	up.EnableHTTP2 = true
	up.StartTLS()
	t.Cleanup(up.Close)
	cfg, err := config.Load(fmt.Appendf(nil, `{"routes": [{"path": "/", "upstream": %q}]}`, up.URL))
	require.NoError(t, err)
	g, err := New(cfg, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close(context.Background())) })
	g.table.Load().routes[0].base.TLSClientConfig = &tls.Config{RootCAs: up.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	ask := func(target string) int {
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.URL, err = url.ParseRequestURI(target) // as net/http does
		require.NoError(t, err)
		g.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, http.StatusOK, ask("/well"))
	for _, target := range Pathless {
		require.Equal(t, http.StatusBadRequest, ask(target), target)
	}
}

// Whatever a check lets through, the request to the upstream has a path.
func TestRewriteHasAPath(t *testing.T) {
	to, err := url.Parse("http://up.example/public")
	require.NoError(t, err)
	r := &route{config: &config.Route{Path: "/"}}
	r.config.Upstream.URL = *to
	for _, target := range Pathless {
		in := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		in.URL, err = url.ParseRequestURI(target)
		require.NoError(t, err)
		p := &httputil.ProxyRequest{In: in, Out: in.Clone(t.Context())}
		r.rewrite(p)
		require.Empty(t, p.Out.URL.Opaque, target)
		require.Regexp(t, "^/public/?([?].*)?$", p.Out.URL.RequestURI(), target)
	}
}
