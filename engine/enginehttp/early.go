package enginehttp

import (
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// graceBytes and graceTime bound how much of a request's body is read after an early answer, so that
	// the connection can be kept. net/http itself has the same bound of bytes, and none of time.
	graceBytes = 256 << 10
	graceTime  = 500 * time.Millisecond
)

// earlyAnswer is an answer to a request whose body may not have been sent yet. The client has the answer
// at once, and then some time to finish; after that the connection is closed. The zero earlyAnswer is
// for requests without a body, and for HTTP/2, where an answer does not wait for the body and a
// connection does not depend on it.
type earlyAnswer struct {
	w    http.ResponseWriter
	body io.Reader // what the connection cannot be kept without
}

// answerEarly is called before the answer is written, and end after that.
func answerEarly(w http.ResponseWriter, r *http.Request) earlyAnswer {
	if r.Body == nil || r.Body == http.NoBody || r.ProtoMajor > 1 {
		return earlyAnswer{}
	}
	// net/http would read the body before it sends the answer, unless the handler does both at a time.
	if http.NewResponseController(w).EnableFullDuplex() != nil {
		w.Header().Set("Connection", "close") // nor does net/http read the body then
		return earlyAnswer{}
	}
	if strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		return earlyAnswer{w, nil} // the client will not send the body, and net/http closes the connection
	}
	return earlyAnswer{w, r.Body}
}

// end sends the answer, reads the rest of the body, and has the connection closed if the rest does not
// come soon.
func (a earlyAnswer) end() {
	if a.w == nil {
		return
	}
	ctl := http.NewResponseController(a.w)
	sent, bounded := ctl.Flush(), ctl.SetReadDeadline(time.Now().Add(graceTime))
	if a.body != nil && sent == nil && bounded == nil {
		if n, err := io.Copy(io.Discard, io.LimitReader(a.body, graceBytes)); err == nil && n < graceBytes {
			_ = ctl.SetReadDeadline(time.Time{}) // of the next request there may be others
			return
		}
	}
	hangUp(a.w)
}

// hangUp has net/http close the connection after the answer, in its own careful way: so that the client
// can still read the answer while it sends. net/http does that after a request that was too large.
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
