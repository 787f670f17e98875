package enginehttp

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
)

// recorder is the http.ResponseWriter that Next gets. It sees the status, and adds the fields to the header before that is sent.
//
// There is one for each request, and no pool of them: a handler that went on writing after its end would write into an answer to
// somebody else.
type recorder struct {
	http.ResponseWriter
	gauge  *gauge
	key    string
	status int                // 0 until it is known. Only final ones count; 101 is one
	values [mostFields]string // room for those of the fields
}

// begin notes the status, the first time, and adds the fields. The header is sent after it.
func (w *recorder) begin(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	w.gauge.admitted(w.Header(), w.key, w.values[:])
}

func (w *recorder) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols { // others, such as Early Hints, have an answer follow
		w.begin(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// WriteString implements io.StringWriter, which needs no asking: where w has it not, Write does the same.
func (w *recorder) WriteString(s string) (int, error) {
	w.begin(http.StatusOK)
	return io.WriteString(w.ResponseWriter, s)
}

// FlushError is how http.ResponseController flushes. It has it here, and not only where w is an http.Flusher, because the controller
// would else unwrap w and flush past it.
func (w *recorder) FlushError() error {
	before := w.status
	w.begin(http.StatusOK)
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if errors.Is(err, http.ErrNotSupported) {
		w.status = before // nothing was sent
	}
	return err
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) flush() {
	w.begin(http.StatusOK)
	w.ResponseWriter.(http.Flusher).Flush()
}

func (w *recorder) hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.ResponseWriter.(http.Hijacker).Hijack()
	if err == nil && w.status == 0 {
		w.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}

func (w *recorder) push(target string, opts *http.PushOptions) error {
	return w.ResponseWriter.(http.Pusher).Push(target, opts)
}

// sniffed is how much net/http reads to tell the type of the content (http.DetectContentType).
const sniffed = 512

// readFrom copies r. The beginning goes through Write, as in net/http: a source that has nothing sends no header, so that
// the handler may yet answer with an error. What follows may go by sendfile.
func (w *recorder) readFrom(r io.Reader) (n int64, err error) {
	if w.status == 0 {
		n, err = io.Copy(w, io.LimitReader(r, sniffed))
		if err != nil || n < sniffed {
			return n, err
		}
	}
	rest, err := w.ResponseWriter.(io.ReaderFrom).ReadFrom(r)
	return n + rest, err
}
