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

// newTransport makes the connections of one route. Bodies go as they are: nothing is compressed or unpacked on the way. No proxy of the
// environment is used.
func newTransport(cfg *config.Route) *http.Transport {
	timeout := time.Duration(cfg.Timeout)
	dialer := &net.Dialer{Timeout: timeout}
	silence := min(max(timeout, time.Second), 15*time.Second)
	return &http.Transport{
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   timeout,
		ExpectContinueTimeout: min(timeout, time.Second),
		MaxConnsPerHost:       cfg.MaxConnections,
		MaxIdleConnsPerHost:   1024,       // the default of 2 would dial anew for most requests under load
		ReadBufferSize:        bufferSize, // most answers come with one read, and leave with two writes however long the header is
		IdleConnTimeout:       90 * time.Second,
		DisableCompression:    true,
		ForceAttemptHTTP2:     true,
		// A connection of HTTP/2 is shared, so that a request which ends for its upstream's silence does not end it. These do.
		HTTP2: &http.HTTP2Config{SendPingTimeout: silence, PingTimeout: silence, WriteByteTimeout: silence},
	}
}

// patience makes one attempt, and ends it when its upstream has been silent for too long: while it is dialled, while it takes the request,
// and until the header of its answer has come, whatever the protocol. The time in which the client is waited for, to send more of the body,
// does not count.
type patience struct {
	base    *http.Transport
	timeout time.Duration
	bounded bool // a connection may have to be waited for
}

// errSilent is the error of an attempt that has been ended.
var errSilent error = silent{}

type silent struct{}

func (silent) Error() string   { return "proxy: the upstream has been silent for too long" }
func (silent) Timeout() bool   { return true }
func (silent) Temporary() bool { return true }

// RoundTrip implements http.RoundTripper. If it is not for the upstream that the attempt fails, the request's context ends with the reason.
func (p *patience) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeIn(req.Context())
	watch := &watch{timeout: p.timeout}
	var ctx context.Context
	ctx, watch.cancel = context.WithCancelCause(req.Context()) // ends with the request: until then the answer's body is read under it
	if p.bounded {
		ctx = context.WithValue(ctx, watchKey{}, watch)
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { watch.asked.Store(true) }})
	}
	req = req.WithContext(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		watch.follow(req)
	}
	watch.start()
	resp, err := heard(req, p.base)
	switch {
	case watch.end():
		if err == nil {
			_ = resp.Body.Close()
		}
		if p.bounded && !watch.asked.Load() {
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

// heard is what base answers. To a header that is larger than an HTTP/2 server has said that it takes, and that is therefore not sent, the answer
// is what an HTTP/1 server would have said itself; as an error it would count against the upstream.
func heard(req *http.Request, base http.RoundTripper) (*http.Response, error) {
	resp, err := base.RoundTrip(req)
	if err != nil && strings.Contains(err.Error(), "request header list larger than peer's advertised limit") {
		return tooLarge(req), nil
	}
	return resp, err
}

// tooLarge is the answer to a request whose header is too large.
func tooLarge(req *http.Request) *http.Response {
	const status = http.StatusRequestHeaderFieldsTooLarge
	return &http.Response{
		Status: fmt.Sprint(status, " ", http.StatusText(status)), StatusCode: status, Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: http.Header{}, Body: http.NoBody, Request: req,
	}
}

// CloseIdleConnections is for enginehttp.Transport.
func (p *patience) CloseIdleConnections() { p.base.CloseIdleConnections() }

// buffers are what bodies are copied through.
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
