package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// An event reaches the client while the upstream still has more to say.
func TestStreaming(t *testing.T) {
	more := make(chan struct{})
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n", i)
			require.NoError(t, http.NewResponseController(w).Flush())
			<-more
		}
	})
	s := serve(t, "", route("/", up, `, "limiter": {"rate": "100/s"}, "breaker": {}, "retry": {}`))
	resp, err := client(t).Get(s.URL())
	require.NoError(t, err)
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for i := range 3 {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("data: %d\n", i), line)
		more <- struct{}{}
	}
	_, err = lines.ReadByte()
	require.Equal(t, io.EOF, err)
}

// echoUpgrade switches to a protocol that says everything again.
func echoUpgrade(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	_ = rw.Flush()
	for {
		line, err := rw.ReadString('\n')
		if err != nil {
			return
		}
		fmt.Fprint(rw, line)
		_ = rw.Flush()
	}
}

// upgrade opens a connection through s that has switched to the protocol echo.
func upgrade(t testing.TB, s *proxy.Server) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn := dial(t, s)
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	lines := bufio.NewReader(conn)
	resp, err := http.ReadResponse(lines, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	return conn, lines
}

func TestUpgrade(t *testing.T) {
	up := upstream(t, echoUpgrade)
	s := serve(t, `"connection": {"rate": "1MiB/s"},`,
		route("/", up, `, "limiter": {"rate": "100/s"}, "breaker": {}, "retry": {}, "max_connections": 5`))
	conn, lines := upgrade(t, s)
	for range 3 {
		fmt.Fprintln(conn, "hello")
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "hello\n", line)
	}
	require.NoError(t, conn.Close())
}
