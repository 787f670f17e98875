package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// errUpload is why the context of a request ends whose body cannot be read.
var errUpload = errors.New("proxy: the client did not send the request's body")

// upload is the body of a client's request. When it cannot be read, be it cut off, malformed or too late, the request's context ends: then it
// is the client who has failed. Without that the upstream would be blamed, and any client could open its breaker.
type upload struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

// withUpload returns r with its body as an upload, and what to call when it has been answered, to w.
func withUpload(w http.ResponseWriter, r *http.Request) (*http.Request, func()) {
	ctx, cancel := context.WithCancelCause(r.Context())
	r = r.WithContext(ctx)
	r.Body = &upload{r.Body, cancel}
	// An http.Transport does not return while it reads the body, be the context over or not.
	answered := context.AfterFunc(ctx, func() { _ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) })
	return r, func() {
		answered()
		cancel(nil)
	}
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		u.cancel(errUpload)
	}
	return n, err
}
