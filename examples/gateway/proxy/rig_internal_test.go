package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
	"github.com/limitpal/limitpal-go/examples/internal/pipes"
)

// certificate returns the certificate of net/http/httptest, and a configuration that trusts it.
var certificate = sync.OnceValues(func() (tls.Certificate, *tls.Config) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	return s.TLS.Certificates[0], &tls.Config{RootCAs: roots, ServerName: "example.com"}
})

// rig is a gateway with one upstream, and the network of both.
type rig struct {
	*Server
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// http2InBubble runs test in a bubble, with a gateway whose only upstream speaks HTTP/2. handle is
// called for each connection of the upstream.
func http2InBubble(t *testing.T, route string, handle func(*testing.T, *peer), test func(*testing.T, *rig)) {
	t.Helper()
	pair, trust := certificate()
	inBubble(t, func(t *testing.T, n *pipes.Network) {
		plain, err := n.Listen()
		require.NoError(t, err)
		listener := tls.NewListener(plain, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}})
		test(t, gatewayTo(t, n, listener, "https", route, trust, func(p *peer) { handle(t, p) }))
	})
}

// inBubble runs test in a bubble, in which time passes only while all goroutines wait.
func inBubble(t *testing.T, test func(*testing.T, *pipes.Network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, new(pipes.Network)) })
}

// gatewayTo starts a gateway on n, or on the loopback interface if n is nil. The only upstream is
// behind listener, and handles each connection.
func gatewayTo(t *testing.T, n *pipes.Network, listener net.Listener, scheme, route string, trust *tls.Config, handle func(*peer)) *rig {
	t.Helper()
	stop := serveConns(listener, handle)
	cfg, err := config.Load(fmt.Appendf(nil, `{"listen": "127.0.0.1:0", "log": "off",
		"routes": [{"path": "/", "upstream": "%s://%v", %s}]}`, scheme, listener.Addr(), route))
	require.NoError(t, err)
	r := &rig{dial: new(net.Dialer).DialContext}
	if n == nil {
		r.Server, err = Start(cfg, io.Discard)
	} else {
		r.dial = n.DialContext
		r.Server, err = StartIn(n, cfg, io.Discard)
	}
	require.NoError(t, err)
	r.gateway.table.Load().routes[0].base.TLSClientConfig = trust.Clone()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = r.Close(ctx) // the rest is cut off
		stop()
	})
	return r
}

// serveConns calls handle for each connection of listener. stop closes the listener and the
// connections.
func serveConns(listener net.Listener, handle func(*peer)) (stop func()) {
	var conns sync.WaitGroup
	ended := make(chan struct{})
	conns.Go(func() { // ends with the listener
		for n := 1; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { // ends with the connection
				handled := make(chan struct{})
				conns.Go(func() { // ends with stop, if not before
					select {
					case <-ended:
					case <-handled:
					}
					_ = conn.Close()
				})
				defer close(handled)
				handle(&peer{conn, n})
			})
		}
	})
	return func() {
		close(ended)
		_ = listener.Close()
		conns.Wait()
	}
}

// ask sends a request to the gateway, and returns the status and the body of the answer.
func (r *rig) ask(t *testing.T, method string, header http.Header, body []byte) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, r.URL(), bytes.NewReader(body))
	require.NoError(t, err)
	if header != nil {
		req.Header = header
	}
	client := &http.Client{Transport: &http.Transport{DialContext: r.dial, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// smallWindow speaks TLS, and protocol above TLS, on connections that hold few bytes that nobody
// reads.
type smallWindow struct {
	net.Listener
	pair     tls.Certificate
	protocol string
}

// Accept makes the window of a connection as small as the system allows.
func (l smallWindow) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(1)
	return tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{l.pair}, NextProtos: []string{l.protocol}}), nil
}
