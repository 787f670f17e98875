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

// Why the context of a request ends whose body cannot be read.
var (
	errCutBody  = errors.New("proxy: the body of the request was cut off or is malformed")
	errLateBody = errors.New("proxy: the body of the request came too slowly")
)

// errNotKept is the error of another attempt at a request with a body of more than mostKept bytes.
var errNotKept = errors.New("proxy: the body of the request is too large to be sent again")

const (
	mostKept      = 64 << 10              // bytes of a body that are kept to be sent again
	mostDiscarded = 256 << 10             // bytes that are read of a body that nobody wants, so that the connection can be used again
	discarding    = 50 * time.Millisecond // how long these may take to come
)

// upload is the body of a client's request. Its beginning is kept, so that it can be read more than once. If it cannot be read, be it cut
// off, malformed or too late, the request's context ends with the reason: the client has failed, and not the upstream.
type upload struct {
	body    io.ReadCloser // net/http closes it
	client  *http.ResponseController
	stall   time.Duration
	by      time.Time // when all of it must have come; zero: no bound
	cancel  context.CancelCauseFunc
	request *http.Request // the client's, whose trailers are there at the end of the body
	trailer http.Header   // what goes to the upstream of these; nil if nothing does
	whole   atomic.Bool   // all of it has come
	spilt   atomic.Bool   // the beginning is not kept, or not all of it

	deadline sync.Mutex // held while the client's deadline is set
	asked    time.Time  // the deadline that a handler has asked for; zero: none
	stopped  bool       // nothing more is wanted

	mu   sync.Mutex   // held while the client is waited for
	kept []byte       // the beginning of the body
	read atomic.Int64 // bytes that have come
	err  error        // io.EOF, or why no more can come
}

// reader is one reading of an upload, from its beginning.
type reader struct {
	upload *upload
	at     int64
	closed atomic.Bool
}

// again returns a reader, or an error if the beginning is not kept any more. It is a Request.GetBody.
func (u *upload) again() (io.ReadCloser, error) {
	if u.spilt.Load() {
		return nil, errNotKept
	}
	return &reader{upload: u}, nil
}

// newUpload makes an upload of the body of r, whose context cancel ends. With trailers it can be read once only: they would have to be
// sent again, too.
func newUpload(w http.ResponseWriter, r *http.Request, timeouts *config.Timeouts, cancel context.CancelCauseFunc) *upload {
	u := &upload{
		body: r.Body, client: http.NewResponseController(w), stall: time.Duration(timeouts.Stall), cancel: cancel, request: r,
	}
	if timeouts.Read > 0 {
		u.by = time.Now().Add(time.Duration(timeouts.Read))
	}
	u.spilt.Store(r.ContentLength > mostKept)
	_ = u.client.EnableFullDuplex() // net/http would else read the body before it sends the answer, and take it from the upstream
	return u
}

// fill reads from the client until the body is there as a whole, or there is no room to keep more of it.
func (u *upload) fill() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	var buf [4 << 10]byte
	for u.err == nil && !u.spilt.Load() {
		u.next(buf[:])
	}
	if u.err == io.EOF {
		return nil
	}
	return u.err
}

// next reads once from the client, with mu held. What has come is in p, and kept if all before it is and there is room.
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
		u.spilt.Store(read > mostKept) // what is kept stays, for a reader that has not come to its end
	}
	switch {
	case u.err == nil:
	case u.err == io.EOF:
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

// await sets the deadline of the next read, or reports false if there is to be none.
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
	_ = u.client.SetReadDeadline(by) // an error is for a server of somebody else's, which has none
	u.stopped = u.stopped || discard
	return true
}

// until has reads end at t at the latest, or bounds them no more if t is zero.
func (u *upload) until(t time.Time) error {
	u.deadline.Lock()
	defer u.deadline.Unlock()
	u.asked = t
	return u.client.SetReadDeadline(t)
}

// interrupt ends a read that is waiting, and all that would come.
func (u *upload) interrupt() {
	u.deadline.Lock()
	defer u.deadline.Unlock()
	if u.stopped = true; !u.whole.Load() {
		_ = u.client.SetReadDeadline(time.Unix(1, 0))
	}
}

// discard reads what is left of the body if that comes soon, so that another request can follow, and reports whether none is left. No
// reader reads any more when it returns.
func (u *upload) discard() bool {
	if !u.whole.Load() {
		u.await(true) // for a reader that is waiting now, too
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err == nil || u.err == http.ErrBodyReadAfterClose {
		_, u.err = io.CopyN(io.Discard, u.body, mostDiscarded)
	}
	return u.err == io.EOF
}

// Read gives what is kept, and then what the client sends.
func (r *reader) Read(p []byte) (int, error) {
	u := r.upload
	u.mu.Lock()
	defer u.mu.Unlock()
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

// Close has Read fail from now on. It does not wait for the client.
func (r *reader) Close() error {
	r.closed.Store(true)
	return nil
}
