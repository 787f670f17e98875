package proxy_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// The gateway tells the events of all engines, also of those that a reload has brought and of that
// of connections, numbered in one row; and the log has those about breakers.
func TestEvents(t *testing.T) {
	inBubble(t, func(b *bubble) {
		up := upstream(b, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
		var out bytes.Buffer
		file := func(name, rate string) string {
			return fmt.Sprintf(`{"listen": "127.0.0.1:0", "connection": {"rate": "1MiB/s"}, "routes": [{"name": %q, "path": "/", "upstream": %q,
				"key": {"header": "X-Key"}, "limiter": {"rate": %q, "burst": 10}, "breaker": {"failures": 1, "recovery": "1h"}}]}`, name, up.URL, rate)
		}
		cfg, err := config.Load([]byte(file("one", "1/s")))
		require.NoError(b, err)
		s, err := b.network.start(cfg, &out)
		require.NoError(b, err)
		ask := func() int { return get(b, client(b), s.URL(), "X-Key", "secret").status }
		reload := func(next string) {
			cfg, err = cfg.Next([]byte(next))
			require.NoError(b, err)
			require.NoError(b, s.Reload(cfg))
		}
		require.Equal(b, http.StatusInternalServerError, ask())
		reload(file("one", "2/s"))
		require.Equal(b, http.StatusServiceUnavailable, ask(), "the breaker stays open")
		reload(file("two", "2/s"))
		require.Equal(b, http.StatusInternalServerError, ask())
		shut(b, s)

		var told []string
		var last uint64
		for e := range s.EventsSince(b.Context(), 0) {
			require.Equal(b, last+1, e.Seq)
			last = e.Seq
			told = append(told, fmt.Sprintf("%s/%s %v", e.Route, e.Engine, e.Kind))
		}
		slices.Sort(told)
		require.Equal(b, []string{
			"/connection reconfigured", "/connection reconfigured",
			"one/client reconfigured", "one/upstream reconfigured", "one/upstream tripped", "two/upstream tripped",
		}, told)
		require.Equal(b, 1, strings.Count(out.String(), "level=WARN msg=tripped route=one engine=upstream key="+strings.TrimPrefix(up.URL, "http://")))
		require.Equal(b, 1, strings.Count(out.String(), "level=WARN msg=tripped route=two engine=upstream"))
		require.NotContains(b, out.String(), "reconfigured")
		require.NotContains(b, out.String(), "secret")
	})
}
