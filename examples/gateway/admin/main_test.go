package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("upstream is down")

// load reads a file with these routes.
func load(t *testing.T, routes ...string) *config.Config {
	t.Helper()
	cfg, err := config.Load(fmt.Appendf(nil, `{"routes": [%s]}`, strings.Join(routes, ",")))
	require.NoError(t, err)
	return cfg
}

// gatewayOf starts a gateway with these routes, which is closed with the test.
func gatewayOf(t *testing.T, routes ...string) *proxy.Gateway {
	t.Helper()
	g, err := proxy.New(load(t, routes...), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close(context.Background())) })
	return g
}

// byKey is a route with a limit of 3 requests by key, and 5 by address, and an upstream that nobody
// asks. A breaker opens after one failure.
const byKey = `{"name": "api", "path": "/api", "upstream": "http://192.0.2.1:9000", "key": {"header": "X-Key"},
	"limiter": {"rate": "1/h", "burst": 3, "tenants": {"gold": {"rate": "2/h"}}}, "address_limiter": {"rate": "1/h", "burst": 5}, "breaker": {"failures": 1, "recovery": "1h"}}`

// guard returns the engine of a route that has this name.
func guard(t *testing.T, g Gateway, route, name string) proxy.Guard {
	t.Helper()
	for _, one := range g.Guards() {
		if one.Route == route && one.Engine.Name() == name {
			return one
		}
	}
	require.FailNow(t, "no engine", "%s/%s", route, name)
	panic("unreachable")
}

// fail has a call for key fail.
func fail(t *testing.T, one proxy.Guard, key string) {
	t.Helper()
	require.ErrorIs(t, one.Engine.Run(t.Context(), key, func(context.Context) error { return errDown }), errDown)
}

// ask returns the answer of a server to a GET.
func ask(s *Server, target string) *httptest.ResponseRecorder {
	return called(s, http.MethodGet, target)
}

// called returns the answer of a server to a request from this machine, with fields, which are names
// and values in turn.
func called(s *Server, method, target string, fields ...string) *httptest.ResponseRecorder {
	rec, req := httptest.NewRecorder(), httptest.NewRequest(method, target, nil)
	req.Host = "localhost:9090"
	for i := 0; i < len(fields); i += 2 {
		if fields[i] == "Host" {
			req.Host = fields[i+1]
		} else {
			req.Header.Set(fields[i], fields[i+1])
		}
	}
	s.handler(nil).ServeHTTP(rec, req)
	return rec
}

// reports returns the engines in the answer to a GET.
func reports(t *testing.T, s *Server, target string) []engineReport {
	t.Helper()
	rec := ask(s, target)
	require.Equal(t, http.StatusOK, rec.Code, rec.Body)
	require.Equal(t, "application/json", rec.Header().Get("Content-Type"))
	require.NotContains(t, rec.Body.String(), "secret")
	var got struct {
		Engines []engineReport `json:"engines"`
	}
	in := json.NewDecoder(rec.Body)
	in.DisallowUnknownFields()
	require.NoError(t, in.Decode(&got))
	return got.Engines
}
