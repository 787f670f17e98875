package enginehttp_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// A rawPeer accepts connections. Each connection is handled by the next of the scripts. The last
// script handles all further connections.
type rawPeer struct {
	url, host string
	base      *http.Transport // reaches the peer
	accepted  atomic.Int64
}

// startRawPeer starts a peer on loopback, for faults that only a real connection has.
func startRawPeer(t testing.TB, scripts ...func(net.Conn)) *rawPeer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return servePeer(t, l, &http.Transport{}, scripts)
}

// startPipePeer starts a peer in memory, for faults that take time. Call startPipePeer in a bubble:
// there time passes only while client and peer both wait.
func startPipePeer(t testing.TB, scripts ...func(net.Conn)) *rawPeer {
	t.Helper()
	l := newPipeListener()
	return servePeer(t, l, &http.Transport{DialContext: l.dial}, scripts)
}

func servePeer(t testing.TB, l net.Listener, base *http.Transport, scripts []func(net.Conn)) *rawPeer {
	p := &rawPeer{url: "http://" + l.Addr().String(), host: l.Addr().String(), base: base}
	var conns sync.WaitGroup
	conns.Go(func() { // ends when the listener is closed
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			script := scripts[min(int(p.accepted.Add(1)), len(scripts))-1]
			conns.Go(func() { // ends with the script, and every script ends when the client hangs up
				defer conn.Close()
				script(conn)
			})
		}
	})
	t.Cleanup(func() {
		base.CloseIdleConnections()
		_ = l.Close()
		conns.Wait()
	})
	return p
}

// Scripts for a rawPeer. The script reset needs a connection over loopback.
var (
	reset     = func(c net.Conn) { readRequest(c); _ = c.(*net.TCPConn).SetLinger(0) }
	hangUp    = func(c net.Conn) { readRequest(c) }
	halfHead  = func(c net.Conn) { readRequest(c); say(c, "HTTP/1.1 200 OK\r\nContent-Le") }
	halfBody  = func(c net.Conn) { readRequest(c); say(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234") }
	babble    = func(c net.Conn) { readRequest(c); say(c, "220 mail.example ESMTP\r\n") }
	stall     = func(c net.Conn) { untilGone(c) }
	stallBody = func(c net.Conn) {
		readRequest(c)
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
		untilGone(c)
	}
	stallBusy = func(c net.Conn) {
		readRequest(c)
		say(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 10\r\n\r\n01234")
		untilGone(c)
	}
	answer = func(c net.Conn) {
		readRequest(c)
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	}
)

// readRequest reads a request that has no body.
func readRequest(c net.Conn) {
	var got []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(got), "\r\n\r\n"); got = append(got, b[0]) {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

func say(c net.Conn, text string) { _, _ = io.WriteString(c, text) }

// untilGone reads until the client hangs up.
func untilGone(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// pipeListener accepts the connections that dial makes. The connections are in memory, so that a
// server can run in a bubble.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// dial has the hooks that a net.Dialer has.
func (l *pipeListener) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.ConnectStart != nil {
		trace.ConnectStart(network, addr)
	}
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pipeTransport returns an http.Transport whose every connection leads, in memory, to a server with
// this handler.
func pipeTransport(t *testing.T, http2 bool, handler http.Handler) *http.Transport {
	l := newPipeListener()
	protocols := &http.Protocols{}
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	srv := &http.Server{Handler: handler, Protocols: protocols, ErrorLog: quiet}
	served := make(chan struct{})
	go func() { // ends with Close
		defer close(served)
		_ = srv.Serve(l)
	}()
	base := &http.Transport{DialContext: l.dial, Protocols: protocols}
	t.Cleanup(func() {
		base.CloseIdleConnections()
		_ = srv.Close()
		<-served
	})
	return base
}
