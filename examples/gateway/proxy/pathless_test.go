package proxy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// A target without a path would reach the upstream past the routes, their limits and their
// prefixes.
func TestTargetsWithoutAPathAreRefused(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	up := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		t.Errorf("the upstream got %q", r.RequestURI)
	})
	var out bytes.Buffer
	s := serveTo(t, &out, `"log": "json",`,
		fmt.Sprintf(`{"path": "/", "upstream": %q}`, up.URL+"/public"),
		fmt.Sprintf(`{"path": "/api", "host": "api.example", "strip_prefix": true, "upstream": %q}`, up.URL+"/public"),
		fmt.Sprintf(`{"path": "/admin", "upstream": %q, "limiter": {"rate": "1/h"}}`, up.URL))
	for _, target := range proxy.Pathless {
		for _, host := range []string{"x", "api.example"} {
			r := raw(t, s, "GET "+target+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
			require.Equal(t, http.StatusBadRequest, r.status, target)
		}
	}
	shut(t, s)
	require.Zero(t, asked.Load())
	for _, status := range s.Status() {
		require.Zero(t, status.Requests)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 2*len(proxy.Pathless))
	for i, line := range lines {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m), line)
		target, _, _ := strings.Cut(proxy.Pathless[i/2], "?")
		require.Equal(t, strings.TrimSuffix(strings.ToLower(target), "//"), m["path"], "nobody can tell what was asked for")
		require.EqualValues(t, http.StatusBadRequest, m["status"])
	}
}

// Targets with a path or a host mean what they say.
func TestTargetsWithAHostHaveAPath(t *testing.T) {
	t.Parallel()
	up := upstream(t, name("up"))
	s := serve(t, "", route("/", up, ""))
	for _, row := range []struct {
		head   string
		status int
		body   string
	}{
		{"GET http://x", 200, "up /"},
		{"GET http://x?a=http:b", 200, "up /?a=http:b"},
		{"GET x://x/http:foo", 200, "up /http:foo"},
		{"GET http:/a", 200, "up /a"},
		{"GET /http://internal.example/a", 200, "up /http://internal.example/a"},
		{"OPTIONS *", 404, ""},
		{"GET *", 404, ""},
		{"CONNECT x:80", 404, ""},
	} {
		r := raw(t, s, row.head+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		require.Equal(t, row.status, r.status, row.head)
		if row.status == http.StatusOK {
			require.Equal(t, row.body, r.body, row.head)
		}
	}
}
