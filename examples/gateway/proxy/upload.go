package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// The causes with which the context of a request ends if the body cannot be read.
var (
	errCutBody  = errors.New("proxy: the body of the request was cut off or is malformed")
	errLateBody = errors.New("proxy: the body of the request came too slowly")
)

// errNotKept is the error of another attempt with a body of more than mostKept bytes.
var errNotKept = errors.New("proxy: the body of the request is too large to be sent again")

const (
	mostKept      = 64 << 10              // the largest number of bytes of a body that are kept
	mostDiscarded = 256 << 10             // the largest rest of a body that is read for the connection to be kept
	discarding    = 50 * time.Millisecond // the longest wait for that rest
)

// upload is the body of a client's request. The beginning of the body is kept, so that the body can
// be sent again. If the body cannot be read, because the body is cut off, malformed or late, the
// request's context ends with that cause: the client has failed, and not the upstream.
type upload struct {
	body    io.ReadCloser // closed by net/http
	client  *http.ResponseController
	stall   time.Duration
	by      time.Time // the end of the time for the whole body; zero: no bound
	cancel  context.CancelCauseFunc
	request *http.Request // has the trailer at the end of the body
	trailer http.Header   // the part of the trailer for the upstream; nil: none
	whole   atomic.Bool   // the whole body has come
	spilt   atomic.Bool   // the beginning is not kept as a whole

	deadline sync.Mutex // held while the deadline of the client is set
	asked    time.Time  // the bound of until; zero: none
	stopped  bool       // nothing may be read any more

	turn chan struct{} // capacity 1, full while the client is waited for; guards the fields below
	kept []byte        // the beginning of the body
	read atomic.Int64  // the number of bytes that have come
	err  error         // io.EOF, or why no more bytes can come
}

// reader reads an upload from the beginning.
type reader struct {
	upload *upload
	at     int64
	closed atomic.Bool
}

// again returns a reader, or errNotKept. again is the GetBody of the request.
func (u *upload) again() (io.ReadCloser, error) {
	if u.spilt.Load() {
		return nil, errNotKept
	}
	return &reader{upload: u}, nil
}

// newUpload makes an upload of the body of r. cancel ends the context of r.
func newUpload(w http.ResponseWriter, r *http.Request, timeouts *config.Timeouts, cancel context.CancelCauseFunc) *upload {
	u := &upload{
		body: r.Body, client: http.NewResponseController(w), stall: time.Duration(timeouts.Stall), cancel: cancel, request: r,
		turn: make(chan struct{}, 1),
	}
	if timeouts.Read > 0 {
		u.by = time.Now().Add(time.Duration(timeouts.Read))
	}
	u.spilt.Store(r.ContentLength > mostKept)
	_ = u.client.EnableFullDuplex() // otherwise net/http takes the body from the upstream before the answer
	return u
}

// fill reads from the client until the whole body is there, or more than mostKept bytes.
func (u *upload) fill() error {
	u.turn <- struct{}{}
	defer func() { <-u.turn }()
	var buf [4 << 10]byte
	for u.err == nil && !u.spilt.Load() {
		u.next(buf[:])
	}
	if errors.Is(u.err, io.EOF) {
		return nil
	}
	return u.err
}

// next reads once from the client into p. The caller has the turn.
func (u *upload) next(p []byte) (n int) {
	if u.err != nil {
		return 0
	}
	if !u.await(false) {
		u.err = http.ErrBodyReadAfterClose
		return 0
	}
	n, u.err = u.body.Read(p)
	read := u.read.Add(int64(n))
	if !u.spilt.Load() {
		u.kept = append(u.kept, p[:n]...)
		u.spilt.Store(read > mostKept) // a reader that is not at the end still needs kept
	}
	switch {
	case u.err == nil:
	case errors.Is(u.err, io.EOF):
		for name := range u.trailer {
			u.trailer[name] = u.request.Trailer[name]
		}
		u.whole.Store(true)
	case errors.Is(u.err, os.ErrDeadlineExceeded):
		u.cancel(errLateBody)
	default:
		u.cancel(errCutBody)
	}
	return n
}

// await sets the deadline of the next read. If discard is set, the next read is the last; otherwise
// await reports false if nothing may be read any more.
func (u *upload) await(discard bool) bool {
	u.deadline.Lock()
	defer u.deadline.Unlock()
	if u.stopped && !discard {
		return false
	}
	wait := u.stall
	if discard {
		wait = discarding
	}
	by := time.Now().Add(wait)
	for _, bound := range []time.Time{u.by, u.asked} {
		if !bound.IsZero() && bound.Before(by) {
			by = bound
		}
	}
	_ = u.client.SetReadDeadline(by) // fails if no Server serves the request: there is no deadline then
	u.stopped = u.stopped || discard
	return true
}

// until bounds all reads by t, or lifts that bound if t is zero.
func (u *upload) until(t time.Time) error {
	u.deadline.Lock()
	defer u.deadline.Unlock()
	u.asked = t
	return u.client.SetReadDeadline(t)
}

// interrupt ends the read under way, and all reads after that.
func (u *upload) interrupt() {
	u.deadline.Lock()
	defer u.deadline.Unlock()
	if u.stopped = true; !u.whole.Load() {
		_ = u.client.SetReadDeadline(time.Unix(1, 0))
	}
}

// discard reads the rest of the body, if the rest comes soon, so that another request can follow,
// and reports whether nothing is left. No reader reads after discard.
func (u *upload) discard() bool {
	if !u.whole.Load() {
		u.await(true) // also bounds a read under way
	}
	u.turn <- struct{}{}
	defer func() { <-u.turn }()
	if u.err == nil || errors.Is(u.err, http.ErrBodyReadAfterClose) {
		_, u.err = io.CopyN(io.Discard, u.body, mostDiscarded)
	}
	return errors.Is(u.err, io.EOF)
}

// Read returns the part that is kept, and then the bytes that the client sends.
func (r *reader) Read(p []byte) (int, error) {
	u := r.upload
	u.turn <- struct{}{}
	defer func() { <-u.turn }()
	switch {
	case r.closed.Load():
		return 0, http.ErrBodyReadAfterClose
	case len(p) == 0:
		return 0, nil
	case r.at < int64(len(u.kept)):
		n := copy(p, u.kept[r.at:])
		r.at += int64(n)
		return n, nil
	case r.at < u.read.Load():
		return 0, errNotKept
	}
	n := u.next(p)
	r.at += int64(n)
	return n, u.err
}

// Close lets no later Read succeed, and does not wait for the client.
func (r *reader) Close() error {
	r.closed.Store(true)
	return nil
}
