package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// The types and flags of frames (RFC 9113, section 6).
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	framePing         = 0x6
	frameGoAway       = 0x7
	frameContinuation = 0x9

	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagAck        = 0x1

	refusedStream = 0x7
)

// ok is a header block that says ":status: 200" (RFC 7541, appendix A).
var ok = []byte{0x88}

// frame is one frame of HTTP/2.
type frame struct {
	kind, flags byte
	stream      uint32
	payload     []byte
}

// peer is the server's end of a connection that speaks HTTP/2 by hand, so that it can stall where a
// test wants it to.
type peer struct {
	net.Conn
	number int // of the connection, from 1
}

func (p *peer) write(kind, flags byte, stream uint32, payload []byte) {
	head := make([]byte, 9, 9+len(payload))
	binary.BigEndian.PutUint32(head, uint32(len(payload))<<8)
	head[3], head[4] = kind, flags
	binary.BigEndian.PutUint32(head[5:], stream)
	_, _ = p.Write(append(head, payload...)) // the gateway may have gone
}

// preface reads what a client begins with.
func (p *peer) preface() error {
	_, err := io.ReadFull(p, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
	return err
}

func (p *peer) read() (frame, error) {
	var head [9]byte
	if _, err := io.ReadFull(p, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{kind: head[3], flags: head[4], stream: binary.BigEndian.Uint32(head[5:]),
		payload: make([]byte, binary.BigEndian.Uint32(head[:])>>8)}
	_, err := io.ReadFull(p, f.payload)
	return f, err
}

// serve answers the preface with settings, and then calls on for every frame that is no business of
// the connection alone, until on returns false or the connection ends.
func (p *peer) serve(settings []byte, on func(frame) bool) {
	if p.preface() != nil {
		return
	}
	p.write(frameSettings, 0, 0, settings)
	for {
		f, err := p.read()
		switch {
		case err != nil:
			return
		case f.kind == frameSettings && f.flags&flagAck == 0:
			p.write(frameSettings, flagAck, 0, nil)
		case f.kind == framePing && f.flags&flagAck == 0:
			p.write(framePing, flagAck, 0, f.payload)
		case f.stream != 0 && !on(f):
			return
		}
	}
}

// hold reads nothing any more, and waits until the connection ends or the test does.
func (p *peer) hold(t *testing.T) { <-t.Context().Done() }

// certificate is that of net/http/httptest, and what trusts it.
var certificate = sync.OnceValues(func() (tls.Certificate, *tls.Config) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	return s.TLS.Certificates[0], &tls.Config{RootCAs: roots}
})

// http2Gateway starts a gateway whose only upstream speaks HTTP/2 as handle says, which is called
// for each connection.
func http2Gateway(t *testing.T, route string, handle func(*peer)) (*Server, *Gateway) {
	t.Helper()
	pair, trust := certificate()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}})
	require.NoError(t, err)
	return gatewayTo(t, listener, "https", route, trust, handle)
}

// gatewayTo starts a gateway whose only upstream is behind listener.
func gatewayTo(t *testing.T, listener net.Listener, scheme, route string, trust *tls.Config, handle func(*peer)) (*Server, *Gateway) {
	t.Helper()
	var conns sync.WaitGroup
	ended := make(chan struct{})
	conns.Go(func() { // ends with the listener
		for n := 1; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				stop := make(chan struct{})
				conns.Go(func() {
					select {
					case <-ended:
					case <-stop:
					}
					_ = conn.Close()
				})
				defer close(stop)
				handle(&peer{conn, n})
			})
		}
	})
	cfg, err := config.Load(fmt.Appendf(nil, `{"listen": "127.0.0.1:0", "log": "off",
		"routes": [{"path": "/", "upstream": "%s://%v", %s}]}`, scheme, listener.Addr(), route))
	require.NoError(t, err)
	s, err := Start(cfg, io.Discard)
	require.NoError(t, err)
	s.gateway.routes[0].base.TLSClientConfig = trust.Clone()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Close(ctx) // what is still running is cut off
		close(ended)
		_ = listener.Close()
		conns.Wait()
	})
	return s, s.gateway
}

// ask sends a request to s and returns the status and the body of the answer, for which it waits 20 s.
func ask(t *testing.T, s *Server, method string, header http.Header, body []byte) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.URL(), bytes.NewReader(body))
	require.NoError(t, err)
	if header != nil {
		req.Header = header
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// smallWindow speaks TLS on connections that take little of what nobody reads, and protocol above
// that.
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
