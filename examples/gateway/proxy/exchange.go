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

// exchange is one request and its answer: an http.ResponseWriter that remembers how it was answered.
type exchange struct {
	http.ResponseWriter
	conn     *conn        // of the client; nil if no Server serves it
	upload   *upload      // the body of the request; nil without one
	route    *route       // nil if none fits
	begun    time.Time    // for the log
	status   int          // 0 until it is known. 499: the client has left before there was an answer
	bytes    atomic.Int64 // of the body; those of a connection that was switched to another protocol are not counted
	ending   ending
	cut      bool        // the answer broke off
	gone     bool        // the client did not take it
	switched atomic.Bool // the connection speaks another protocol now

	context exchangeContext
	cancel  context.CancelCauseFunc
	cause   error       // why the context ended before the exchange did; nil if it did not
	forget  func() bool // the client's connection
	release func() bool // the upload, of the context
}

// exchangeContext is the context of a request. It does not end with the client's connection, since a client may close its direction and
// still read: exchange.linger says when it ends.
type exchangeContext struct {
	context.Context
	exchange *exchange
}

type exchangeKey struct{}

// Value gives the exchange, too.
func (c *exchangeContext) Value(key any) any {
	if key == (exchangeKey{}) {
		return c.exchange
	}
	return c.Context.Value(key)
}

// ending is how an exchange ended, as far as it counts.
type ending uint8

const (
	answered    ending = iota // by the upstream, whatever the status
	refused                   // by the limiter's engine, with 429 if it was the limiter
	unavailable               // by the upstream's engine, the upstream not having been asked; or for a bound of the gateway's
	failed                    // the upstream did not answer
	left                      // the client did not wait for an answer, or did not send all of its request
)

// Why the context of an exchange ends.
var (
	errStopping = errors.New("proxy: the gateway is stopping")
	errLeft     = errors.New("proxy: the client has closed its connection")
)

type stoppingKey struct{}

// open begins the exchange of r, and returns the request to handle in its place. close ends it.
func (x *exchange) open(r *http.Request, timeouts *config.Timeouts) *http.Request {
	client := r.Context()
	x.context.exchange = x
	x.context.Context, x.cancel = context.WithCancelCause(context.WithoutCancel(client))
	x.forget = context.AfterFunc(client, func() { x.linger(client, time.Duration(timeouts.HalfClosed)) }) // ends with the exchange
	if r = r.WithContext(&x.context); r.ContentLength == 0 {
		return r
	}
	x.upload = newUpload(x.ResponseWriter, r, timeouts, x.cancel)
	x.release = context.AfterFunc(&x.context, x.upload.interrupt)
	r.Body = &reader{upload: x.upload}
	if len(r.Trailer) == 0 {
		r.GetBody = x.upload.again
	}
	return r
}

// linger waits for the end of the exchange when its client has closed its direction of the connection, or all of it, or the gateway stops.
// It ends the context at once if there is nobody to answer, and else when nothing has been sent for as long as silence.
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

// standstill ends an exchange whose upstream answers before it has all of the request, when neither body has moved for as long as stall. The
// upstream may not want the rest; and as long as nobody reads it, the end of the client's connection cannot be seen.
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

// close ends the exchange: nothing reads from the client any more. If the client is still sending, it has its answer first, and its
// connection is closed unless the rest comes soon.
func (x *exchange) close() {
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
		_ = x.FlushError() // whatever net/http would send later, it sends now
		if !u.discard() {
			hangUp(x.ResponseWriter)
		}
	}
}

// hangUp has net/http close the connection after the answer, in steps, so that a client that is still sending can read it: as after a
// request that is too large. What is left of the body would else be taken for the next request.
func hangUp(w http.ResponseWriter) {
	large := http.MaxBytesReader(w, io.NopCloser(strings.NewReader("x")), 0)
	_, _ = large.Read(make([]byte, 1))
}

// exchangeOf is the exchange that w writes to.
func exchangeOf(w http.ResponseWriter) *exchange {
	for {
		switch v := w.(type) {
		case *exchange:
			return v
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return new(exchange) // somebody else's; nobody will ask it
		}
	}
}

// exchangeIn is the exchange of a request with this context; nil if there is none.
func exchangeIn(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		x.status = status
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

// FlushError is how http.ResponseController flushes.
func (x *exchange) FlushError() error {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return http.NewResponseController(x.ResponseWriter).Flush()
}

// SetReadDeadline is how http.ResponseController bounds the reads of a handler that reads the body by itself.
func (x *exchange) SetReadDeadline(t time.Time) error {
	if x.upload == nil {
		return http.NewResponseController(x.ResponseWriter).SetReadDeadline(t)
	}
	return x.upload.until(t)
}

// Hijack implements http.Hijacker. A reverse proxy takes a connection over to switch its protocol.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err == nil && x.status == 0 {
		x.status = http.StatusSwitchingProtocols
		x.switched.Store(true)
		x.conn.free()
	}
	return conn, rw, err
}
