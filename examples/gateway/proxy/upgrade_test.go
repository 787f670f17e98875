package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// eager switches to whatever a request names, and else says what has come.
func eager(w http.ResponseWriter, r *http.Request) {
	if up := r.Header.Get("Upgrade"); up != "" {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", up)
		_ = rw.Flush()
		_, _ = rw.ReadByte()
		return
	}
	fmt.Fprintf(w, "%s %s %q %q", r.Method, r.URL.Path, r.Header["Connection"], r.Header["Http2-Settings"])
}

// Of all protocols only websocket passes, alone; anything else is as if it were not there, and no
// tunnel leads past routes and limits.
func TestOnlyWebsocketPasses(t *testing.T) {
	t.Parallel()
	up := upstream(t, eager)
	s := serve(t, "", route("/", up, `, "breaker": {"failures": 1}`))
	for _, fields := range []string{
		"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
		"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
		"Connection: upgrade\r\nUpgrade: H2C\r\n",
		"Connection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n",
		"Connection: Upgrade\r\nUpgrade: h2\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
		"Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n",
		"Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket/13\r\n",
		"Connection: Upgrade\r\nUpgrade: websocketh2c\r\n",
		"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
		"Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n",
		"Connection: Upgrade\r\nUpgrade: connect-udp\r\n",
		"Connection: Upgrade\r\nUpgrade: \r\n",
		"Connection: close\r\nUpgrade: websocket\r\n",
		"Upgrade: websocket\r\n",
		"Http2-Settings: AAMAAABk\r\n",
		"HTTP2-SETTINGS: AAMAAABk\r\nhttp2-settings: AAMAAABk\r\n",
		"HTTP2_Settings: AAMAAABk\r\n",
	} {
		r := raw(t, s, "GET /x HTTP/1.1\r\nHost: x\r\n"+fields+"\r\n")
		require.Equal(t, http.StatusOK, r.status, fields)
		require.Equal(t, `GET /x [] []`, r.body, fields)
	}
	for _, request := range []string{
		"GET /x HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
		"GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nab",
	} {
		r := raw(t, s, request)
		require.Equal(t, http.StatusOK, r.status, request)
		require.Contains(t, r.body, `/x [] []`, request)
	}
	require.Equal(t, breaker.Closed, s.Status()[0].Breaker)
	require.NotEqual(t, http.StatusOK, raw(t, s, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status)
}

func TestWebsocketPasses(t *testing.T) {
	t.Parallel()
	up := upstream(t, eager)
	s := serve(t, "", route("/", up, ""))
	for _, fields := range []string{
		"Connection: Upgrade\r\nUpgrade: websocket\r\n",
		"Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n",
		"Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: \t websocket \r\nHTTP2-Settings: AAMAAABk\r\n",
	} {
		conn := dial(t, s)
		fmt.Fprintf(conn, "GET /x HTTP/1.1\r\nHost: x\r\n%s\r\n", fields)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode, fields)
		require.Equal(t, "websocket", strings.ToLower(resp.Header.Get("Upgrade")))
		require.NoError(t, conn.Close())
	}
}

// counting starts an upstream that counts the connections that it has been given.
func counting(t testing.TB, handle http.HandlerFunc) (up *httptest.Server, given *atomic.Int64) {
	t.Helper()
	given = new(atomic.Int64)
	return upstreamAt(t, &countingListener{listen(t), given}, handle), given
}

type countingListener struct {
	net.Listener
	given *atomic.Int64
}

// Accept counts a connection.
func (l *countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.given.Add(1)
	}
	return conn, err
}

// An upstream that switches to what it was not asked for, or to nothing, fails the request; its
// connection is closed.
func TestFailedUpgradesAreClosed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		const tries = 5
		var closed atomic.Int64
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			upgrade := r.URL.Query().Get("up")
			fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", upgrade)
			_ = rw.Flush()
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := rw.ReadByte(); err == io.EOF {
				closed.Add(1)
			}
		})
		s := serve(t, "", route("/", up, `, "max_connections": 1`))
		for i, fields := range []string{"Connection: Upgrade\r\nUpgrade: websocket\r\n", ""} {
			for range tries {
				r := raw(t, s, "GET /?up=h2c HTTP/1.1\r\nHost: x\r\n"+fields+"\r\n")
				require.Equal(t, http.StatusBadGateway, r.status)
			}
			synctest.Wait()
			require.EqualValues(t, (i+1)*tries, closed.Load())
		}
	})
}

// A connection that has been switched is one of max_connections, as long as it is open.
func TestUpgradesCountAsConnections(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *bubble) {
		up, given := counting(t, echoUpgrade)
		s := serve(t, "", fmt.Sprintf(
			`{"path": "/", "upstream": %q, "timeout": "500ms", "max_connections": 2, "breaker": {"failures": 1, "recovery": "1h"}}`, up.URL))
		first, _ := upgrade(t, s)
		upgrade(t, s)
		for range 3 {
			r := raw(t, s, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			require.Equal(t, http.StatusServiceUnavailable, r.status)
		}
		require.EqualValues(t, 2, given.Load())
		require.Equal(t, breaker.Closed, s.Status()[0].Breaker)
		require.NoError(t, first.Close())
		synctest.Wait() // until the gateway has closed its connection, too
		upgrade(t, s)
		require.EqualValues(t, 3, given.Load(), "connections in all")
		require.Equal(t, proxy.Status{Name: "/", Requests: 6, Unavailable: 3}, s.Status()[0])
	})
}
