package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// exchange is one request and its answer. As an http.ResponseWriter, an exchange notes how the
// request is answered.
type exchange struct {
	http.ResponseWriter
	conn     *conn        // of the client; nil without a Server
	upload   *upload      // the body of the request; nil without a body
	table    *table       // the routes among which the route was found
	route    *route       // nil if no route fits
	keys     *keys        // of the request; nil without an engine
	begun    time.Time    // for the log
	status   int          // 0 before the answer; 499 if the client left before the answer
	bytes    atomic.Int64 // of the body of the answer, before the protocol was switched
	ending   ending
	address  bool        // the limiter of addresses has refused the request
	cut      bool        // the answer broke off
	gone     bool        // a write to the client failed
	switched atomic.Bool // the connection speaks another protocol
	spent    spent       // the time of the last attempt

	below   exchangeContext
	context context.Context // of the request, above below; nil before open
	cancel  context.CancelCauseFunc
	cause   error       // of the end of context before the end of the exchange; or nil
	forget  func() bool // undoes the wait of linger for the client
	release func() bool // undoes the wait of upload.interrupt for context
}

// exchangeContext has the values of the client's context, and never ends. A client may close its
// direction of the connection and still read, so that the context of a request does not end with
// the connection: exchange.linger says when that context ends.
type exchangeContext struct {
	client   context.Context
	exchange *exchange
}

func (*exchangeContext) Deadline() (none time.Time, bounded bool) { return none, false }
func (*exchangeContext) Done() <-chan struct{}                    { return nil }
func (*exchangeContext) Err() error                               { return nil }

type exchangeKey struct{}

// Value returns the exchange for exchangeKey.
func (c *exchangeContext) Value(key any) any {
	if key == (exchangeKey{}) {
		return c.exchange
	}
	return c.client.Value(key)
}

// ending is how an exchange ended, as far as that counts.
type ending uint8

const (
	answered    ending = iota // by the upstream, with any status
	limited                   // refused by a limiter
	unavailable               // refused by another stage, or the gateway is at a bound of its own
	failed                    // the upstream did not answer
	left                      // the client did not wait for the answer, or did not send the whole request
)

// The causes with which the context of an exchange ends.
var (
	errStopping = errors.New("proxy: the gateway is stopping")
	errLeft     = errors.New("proxy: the client has closed its connection")
)

type stoppingKey struct{}

// open begins the exchange of r, and returns the request to handle in place of r. close ends the
// exchange.
func (x *exchange) open(r *http.Request, timeouts *config.Timeouts) *http.Request {
	client := r.Context()
	x.context, x.cancel = context.WithCancelCause(&x.below)
	x.forget = context.AfterFunc(client, func() { x.linger(client, time.Duration(timeouts.HalfClosed)) }) // ends with the exchange
	if r = r.WithContext(x.context); r.ContentLength == 0 {
		return r
	}
	x.upload = newUpload(x.ResponseWriter, r, timeouts, x.cancel)
	x.release = context.AfterFunc(x.context, x.upload.interrupt)
	r.Body = &reader{upload: x.upload}
	if len(r.Trailer) == 0 {
		r.GetBody = x.upload.again
	}
	return r
}

// linger waits for the end of an exchange whose client has closed its direction of the connection,
// or all of the connection, or whose gateway stops. If nobody is left to read the answer, linger
// ends the context at once; otherwise, when nothing has been sent for the time of silence.
func (x *exchange) linger(client context.Context, silence time.Duration) {
	if errors.Is(context.Cause(client), errStopping) {
		x.cancel(errStopping)
		return
	}
	stopping, _ := client.Value(stoppingKey{}).(<-chan struct{})
	tick := time.NewTicker(silence)
	defer tick.Stop()
	for before := int64(-1); ; {
		sent := x.bytes.Load()
		if (sent == before || x.conn.gone()) && !x.switched.Load() {
			x.cancel(errLeft)
			return
		}
		before = sent
		select {
		case <-tick.C:
		case <-stopping:
			x.cancel(errStopping)
			return
		case <-x.context.Done():
			return
		}
	}
}

// standstill ends an exchange whose upstream answers before the whole request has come, when
// neither body has moved for the time of stall. Perhaps the upstream does not want the rest of the
// body; and as long as the body is not read, the end of the client's connection is not seen.
func (x *exchange) standstill(stall time.Duration) {
	tick := time.NewTicker(stall)
	defer tick.Stop()
	for before := int64(-1); !x.upload.whole.Load(); {
		moved := x.bytes.Load() + x.upload.read.Load()
		if moved == before {
			x.cancel(errLateBody)
			return
		}
		before = moved
		select {
		case <-tick.C:
		case <-x.context.Done():
			return
		}
	}
}

// close ends the exchange. Nothing reads from the client after close. A client that is still
// sending has the answer first; then the connection is closed, unless the rest of the body comes
// soon.
func (x *exchange) close() {
	if x.context == nil { // not open
		return
	}
	x.forget()
	u := x.upload
	if u == nil {
		x.cancel(nil)
		return
	}
	x.release()
	x.cancel(nil)
	switch {
	case u.whole.Load():
	case x.cut:
		u.interrupt() // net/http closes the connection
	default:
		_ = x.FlushError() // sends the parts of the answer that net/http would send later
		if !u.discard() {
			hangUp(x.ResponseWriter)
		}
	}
}

// hangUp has net/http close the connection after the answer as after a request that is too large:
// in steps, so that a client that is still sending can read the answer. Otherwise net/http would
// take the rest of the body for the next request.
func hangUp(w http.ResponseWriter) {
	large := http.MaxBytesReader(w, io.NopCloser(strings.NewReader("x")), 0)
	_, _ = large.Read(make([]byte, 1))
}

// exchangeOf returns the exchange below w.
func exchangeOf(w http.ResponseWriter) *exchange {
	for {
		switch v := w.(type) {
		case *exchange:
			return v
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return &exchange{ResponseWriter: v} // that is not of a Gateway
		}
	}
}

// exchangeIn returns the exchange of a request with this context; nil if the request is not of a
// Gateway.
func exchangeIn(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		x.status = status
		x.keys.tell(x.Header(), x.address)
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(p)
	x.bytes.Add(int64(n))
	x.gone = x.gone || err != nil
	return n, err
}

// Flush implements http.Flusher.
func (x *exchange) Flush() { _ = x.FlushError() }

// FlushError is for http.ResponseController.
func (x *exchange) FlushError() error {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return http.NewResponseController(x.ResponseWriter).Flush()
}

// SetReadDeadline is for http.ResponseController, with which a handler bounds its own reads of the
// body.
func (x *exchange) SetReadDeadline(t time.Time) error {
	if x.upload == nil {
		return http.NewResponseController(x.ResponseWriter).SetReadDeadline(t)
	}
	return x.upload.until(t)
}

// Hijack implements http.Hijacker. A reverse proxy takes a connection over to switch the protocol.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err == nil && x.status == 0 {
		x.status = http.StatusSwitchingProtocols
		x.switched.Store(true)
		x.conn.free()
	}
	return conn, rw, err
}
