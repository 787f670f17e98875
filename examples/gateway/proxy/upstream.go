package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// newTransport makes the connections of one route. Bodies pass as they are, neither compressed nor
// unpacked. No proxy of the environment is used. If dial is nil, a net.Dialer dials.
func newTransport(cfg *config.Route, dial dialFunc) *http.Transport {
	timeout := time.Duration(cfg.Timeout)
	if dial == nil {
		dial = (&net.Dialer{Timeout: timeout}).DialContext
	}
	silence := min(max(timeout, time.Second), 15*time.Second)
	return &http.Transport{
		DialContext:           dial,
		TLSHandshakeTimeout:   timeout,
		ExpectContinueTimeout: min(timeout, time.Second),
		MaxConnsPerHost:       cfg.MaxConnections,
		MaxIdleConnsPerHost:   1024,       // with the default of 2, most requests under load would dial
		ReadBufferSize:        bufferSize, // most answers come with one read, and leave with two writes
		IdleConnTimeout:       90 * time.Second,
		DisableCompression:    true,
		ForceAttemptHTTP2:     true,
		// A request that ends because the upstream is silent does not end its connection if the
		// connection is shared, as in HTTP/2. These times do.
		HTTP2: &http.HTTP2Config{SendPingTimeout: silence, PingTimeout: silence, WriteByteTimeout: silence},
	}
}

// patience makes one attempt, with any protocol, and ends the attempt when the upstream has been
// silent for timeout: during the dial, while the request is sent, and until the header of the
// answer has come. The time in which more of the body is awaited from the client does not count.
type patience struct {
	base    *http.Transport
	timeout time.Duration
	bounded bool // an attempt may have to wait for a connection
}

// errSilent is the error of an attempt whose upstream was silent for too long.
var errSilent error = silent{}

type silent struct{}

func (silent) Error() string   { return "proxy: the upstream has been silent for too long" }
func (silent) Timeout() bool   { return true }
func (silent) Temporary() bool { return true }

// RoundTrip implements http.RoundTripper. If the attempt fails at a bound of the gateway, the
// context of the request ends with that cause.
func (p *patience) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeIn(req.Context())
	watch := &watch{timeout: p.timeout}
	var ctx context.Context
	ctx, watch.cancel = context.WithCancelCause(req.Context()) // ends with the request: the body of the answer needs the context
	if p.bounded {
		ctx = context.WithValue(ctx, watchKey{}, watch)
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { watch.ask() }})
	}
	req = req.WithContext(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		watch.follow(req)
	}
	watch.start()
	resp, err := heard(req, p.base)
	x.spent = watch.spent()
	switch {
	case watch.end():
		if err == nil {
			_ = resp.Body.Close()
		}
		if p.bounded && watch.asked.Load() == 0 {
			x.cancel(errBusy)
			return nil, errBusy
		}
		return nil, errSilent
	case err != nil:
		watch.cancel(nil)
		if exhausted(err) {
			x.cancel(errExhausted)
		}
	}
	return resp, err
}

// heard returns the answer of base. If a header is larger than an HTTP/2 server takes, base does
// not send the request; heard then returns the answer that an HTTP/1 server would give.
func heard(req *http.Request, base http.RoundTripper) (*http.Response, error) {
	resp, err := base.RoundTrip(req)
	if err != nil && strings.Contains(err.Error(), "request header list larger than peer's advertised limit") {
		return tooLarge(req), nil
	}
	return resp, err
}

// tooLarge returns the answer to a request whose header is too large.
func tooLarge(req *http.Request) *http.Response {
	const status = http.StatusRequestHeaderFieldsTooLarge
	return &http.Response{
		Status: fmt.Sprint(status, " ", http.StatusText(status)), StatusCode: status, Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: http.Header{}, Body: http.NoBody, Request: req,
	}
}

// CloseIdleConnections is for enginehttp.Transport.
func (p *patience) CloseIdleConnections() { p.base.CloseIdleConnections() }

// buffers are the buffers through which bodies are copied.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buf[:]
	}
	return make([]byte, bufferSize)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(buf []byte) { b.pool.Put((*[bufferSize]byte)(buf)) }
