package enginehttp

import (
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// graceBytes and graceTime bound how much of a request's body is read after an early answer, so
	// that the connection can be kept. net/http itself has the same bound of bytes, and none of
	// time.
	graceBytes = 256 << 10
	graceTime  = 500 * time.Millisecond
)

// earlyAnswer is an answer to a request whose body may not have been sent yet. The client has the
// answer at once, and then some time to send the rest of the body; after that the connection is
// closed. The zero earlyAnswer is for requests without a body, and for HTTP/2, where answers and
// connections do not depend on the bodies of requests.
type earlyAnswer struct {
	w    http.ResponseWriter
	body io.Reader // to be read for the connection to be kept; nil: to be closed
}

// answerEarly begins an early answer to r. The caller writes the answer, and calls end afterwards.
func answerEarly(w http.ResponseWriter, r *http.Request) earlyAnswer {
	if r.Body == nil || r.Body == http.NoBody || r.ProtoMajor > 1 {
		return earlyAnswer{}
	}
	// Unless the handler reads and writes at a time, net/http reads the body before it sends the
	// answer.
	if http.NewResponseController(w).EnableFullDuplex() != nil {
		w.Header().Set("Connection", "close") // has the same effect
		return earlyAnswer{}
	}
	if strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		return earlyAnswer{w, nil} // the client does not send the body, and net/http hangs up
	}
	return earlyAnswer{w, r.Body}
}

// end sends the answer, reads the rest of the body, and has the connection closed if the rest does
// not come soon.
func (a earlyAnswer) end() {
	if a.w == nil {
		return
	}
	ctl := http.NewResponseController(a.w)
	sent, bounded := ctl.Flush(), ctl.SetReadDeadline(time.Now().Add(graceTime))
	if a.body != nil && sent == nil && bounded == nil {
		if n, err := io.Copy(io.Discard, io.LimitReader(a.body, graceBytes)); err == nil && n < graceBytes {
			_ = ctl.SetReadDeadline(time.Time{}) // net/http sets the deadlines of the next request
			return
		}
	}
	hangUp(a.w)
}

// hangUp has net/http close the connection after the answer as after a request that was too large:
// in steps, so that a client that is still sending can read the answer.
func hangUp(w http.ResponseWriter) {
	for {
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = inner.Unwrap()
	}
	large := http.MaxBytesReader(w, io.NopCloser(strings.NewReader("x")), 0)
	_, _ = large.Read(make([]byte, 1))
}
