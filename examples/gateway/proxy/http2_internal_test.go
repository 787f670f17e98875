package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// An upstream that speaks HTTP/2 is not blamed for what a client asks that HTTP/2 does not have, or
// that is larger than the upstream takes.
func TestHTTP2UpstreamIsNotBlamedForItsClients(t *testing.T) {
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	up.EnableHTTP2 = true
	up.Config.MaxHeaderBytes = 8 << 10
	up.StartTLS()
	t.Cleanup(up.Close)
	cfg, err := config.Load(fmt.Appendf(nil, `{"routes": [{"path": "/", "upstream": %q, "breaker": {"failures": 1, "recovery": "1h"}}]}`, up.URL))
	require.NoError(t, err)
	g, err := New(cfg, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close(context.Background())) })
	g.table.Load().routes[0].base.TLSClientConfig = &tls.Config{RootCAs: up.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	send := func(header http.Header) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header = header
		g.ServeHTTP(w, r)
		return w
	}
	require.Equal(t, "HTTP/2.0", send(http.Header{}).Body.String())

	upgrade := send(http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "Http2-Settings": {"AAMAAABk"}})
	require.Equal(t, http.StatusOK, upgrade.Code)
	require.Equal(t, "HTTP/2.0", upgrade.Body.String())

	large := send(http.Header{"X-Large": {strings.Repeat("x", 20<<10)}})
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, large.Code)
	require.Equal(t, Status{Name: "/", Breaker: breaker.Closed, Requests: 3}, g.Status()[0])
}
