package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// Whatever was asked for before, the keys are those of the request. A request like the one before
// has the same keys, and nothing is made for them.
func TestKeysAreThoseOfTheRequest(t *testing.T) {
	cfg, err := config.Load([]byte(`{"routes": [{"path": "/", "upstream": "http://127.0.0.1:9", "key": {"header": "X-API-Key"},
		"limiter": {"rate": "1/s"}, "address_limiter": {"rate": "1/s"}, "breaker": {}}]}`))
	require.NoError(t, err)
	g, err := New(cfg, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close(context.Background())) })
	r := g.table.Load().routes[0]
	for range 2 {
		for i := range 3 * len(r.recent.places) {
			address, client := fmt.Sprintf("192.0.2.%d", i%100), fmt.Sprint(i)
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			req.RemoteAddr = address + ":80"
			req.Header.Set("X-API-Key", client)
			k := r.keysOf(req, "/")
			require.Equal(t, []string{address, client}, []string{k.limits[0].String(), k.limits[1].String()})
			require.Equal(t, address, k.all.String())
			require.NoError(t, k.all.Check(t.Context()))
			require.Same(t, k, r.keysOf(req, "/"))
			req.RemoteAddr = "198.51.100.1:80"
			require.Equal(t, "198.51.100.1", r.keysOf(req, "/").all.String())
		}
	}
}
