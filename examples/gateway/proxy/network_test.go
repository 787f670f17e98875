package proxy_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
	"github.com/limitpal/limitpal-go/examples/internal/pipes"
)

// network is the place of a gateway, its upstreams and its clients.
type network interface {
	start(cfg *config.Config, logs io.Writer) (*proxy.Server, error)
	listen() (net.Listener, error)
	dial(ctx context.Context, network, address string) (net.Conn, error)
}

// loopback is the network of this machine.
type loopback struct{}

func (loopback) start(cfg *config.Config, logs io.Writer) (*proxy.Server, error) {
	return proxy.Start(cfg, logs)
}

func (loopback) listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

func (loopback) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}

// memory is a network in memory.
type memory struct{ pipes.Network }

func (m *memory) start(cfg *config.Config, logs io.Writer) (*proxy.Server, error) {
	return proxy.StartIn(&m.Network, cfg, logs)
}

func (m *memory) listen() (net.Listener, error) { return m.Listen() }

func (m *memory) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return m.DialContext(ctx, network, address)
}

// bubble is the T of a test in a bubble, in which time passes only while all goroutines wait. The
// functions below that take a bubble use its network; all other tests use the loopback interface.
type bubble struct {
	*testing.T
	network memory
}

// inBubble runs test in a bubble.
func inBubble(t *testing.T, test func(t *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(&bubble{T: t}) })
}

func networkOf(t testing.TB) network {
	if b, ok := t.(*bubble); ok {
		return &b.network
	}
	return loopback{}
}

// upstream starts a server that is closed with the test.
func upstream(t testing.TB, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	return upstreamAt(t, listen(t), handle)
}

func upstreamAt(t testing.TB, l net.Listener, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	up := &httptest.Server{Listener: l, Config: &http.Server{Handler: handle}}
	up.Start()
	t.Cleanup(up.Close)
	return up
}

// headerFirst sends the header of an answer, and lets the gateway pass the header on before the
// body comes. An answer of unknown length begins with a timer of httputil. The timer needs a mutex
// that a write holds, and while a goroutine waits for a mutex, no time passes in a bubble.
func headerFirst(w http.ResponseWriter) {
	_ = http.NewResponseController(w).Flush()
	time.Sleep(time.Millisecond) // of the bubble
}

// listen returns a listener that is closed with the test.
func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := networkOf(t).listen()
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// client returns a client with connections of its own, which neither follows redirects nor waits
// for ever.
func client(t testing.TB) *http.Client {
	t.Helper()
	tr := &http.Transport{DialContext: networkOf(t).dial, MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport: tr, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// duplex is a connection of TCP, or one that resembles it.
type duplex interface {
	net.Conn
	CloseWrite() error
	SetLinger(sec int) error
}

// dial connects to s. The connection is closed with the test.
func dial(t testing.TB, s *proxy.Server) duplex {
	t.Helper()
	conn, err := networkOf(t).dial(t.Context(), "tcp", strings.TrimPrefix(s.URL(), "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	return conn.(duplex)
}
