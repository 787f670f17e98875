package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
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
	return &http.Transport{
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   timeout,
		ResponseHeaderTimeout: timeout, // from the end of the request
		ExpectContinueTimeout: min(timeout, time.Second),
		MaxConnsPerHost:       cfg.MaxConnections,
		MaxIdleConnsPerHost:   1024,       // the default of 2 would dial anew for most requests under load
		ReadBufferSize:        bufferSize, // most answers come with one read, and leave with two writes however long the header is
		IdleConnTimeout:       90 * time.Second,
		DisableCompression:    true,
		ForceAttemptHTTP2:     true,
	}
}

// patience ends an attempt whose upstream has been silent for too long in what the timeouts of an http.Transport do not cover: while it
// takes the request's body, and while a connection is waited for because there are as many as there may be. The time in which the client is
// waited for, to send more of the body, does not count.
type patience struct {
	base    *http.Transport
	timeout time.Duration
	always  bool // also without a body
}

// errSilent is the error of an attempt that has been ended.
var errSilent error = silent{}

type silent struct{}

func (silent) Error() string   { return "proxy: the upstream has been silent for too long" }
func (silent) Timeout() bool   { return true }
func (silent) Temporary() bool { return true }

// RoundTrip implements http.RoundTripper.
func (p *patience) RoundTrip(req *http.Request) (*http.Response, error) {
	body := req.Body != nil && req.Body != http.NoBody
	if !body && !p.always {
		return heard(req, p.base)
	}
	ctx, cancel := context.WithCancelCause(req.Context()) // ends with the request: until then the answer's body is read under it
	watch := &watch{timeout: p.timeout, cancel: cancel}
	watch.start()
	req = req.WithContext(ctx)
	if body {
		req.Body = &watchedBody{req.Body, watch}
	}
	resp, err := heard(req, p.base)
	if watch.end() {
		if err == nil {
			_ = resp.Body.Close()
		}
		return nil, errSilent
	}
	if err != nil {
		cancel(nil)
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
