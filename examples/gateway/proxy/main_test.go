package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is the longest wait of a test for what must happen, also on a machine that is busy
// elsewhere.
const patience = time.Minute

// serve starts a gateway that is closed with the test. settings are those of the file beside
// routes, with a comma at the end.
func serve(t testing.TB, settings string, routes ...string) *proxy.Server {
	t.Helper()
	return serveTo(t, io.Discard, `"log": "off", `+settings, routes...)
}

// serveTo is serve with the log to w.
func serveTo(t testing.TB, w io.Writer, settings string, routes ...string) *proxy.Server {
	t.Helper()
	cfg, err := config.Load(fmt.Appendf(nil, `{"listen": "127.0.0.1:0", %s "routes": [%s]}`, settings, strings.Join(routes, ",")))
	require.NoError(t, err)
	s, err := networkOf(t).start(cfg, w)
	require.NoError(t, err)
	t.Cleanup(func() {
		select {
		case err := <-s.Failed(): // a test has closed it
			require.ErrorIs(t, err, http.ErrServerClosed)
		default:
			shut(t, s)
		}
	})
	return s
}

func shut(t testing.TB, s *proxy.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, s.Close(ctx))
}

// route is a route of the file to up, with more fields.
func route(path string, up *httptest.Server, more string) string {
	return fmt.Sprintf(`{"path": %q, "upstream": %q, "timeout": "5s" %s}`, path, up.URL, more)
}

// reply is an answer that has been read.
type reply struct {
	status int
	header http.Header
	body   string
}

// get sends a GET with headers, which are names and values in turn.
func get(t testing.TB, c *http.Client, url string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	return send(t, c, req)
}

func send(t testing.TB, c *http.Client, req *http.Request) reply {
	t.Helper()
	resp, err := c.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return reply{resp.StatusCode, resp.Header, string(body)}
}

// name answers with a name, and with the path and host it was asked for.
func name(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s", s, r.URL.RequestURI()) }
}

// receive waits for a value of ch.
func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}
