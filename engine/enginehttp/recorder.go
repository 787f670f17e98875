package enginehttp

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
)

// recorder is the http.ResponseWriter for Next. A recorder notes the status, and adds the RateLimit
// fields to the header before the header is sent.
//
// Each request has a recorder of its own, without a pool: a handler that went on writing after its
// end would write into the answer to another request.
type recorder struct {
	http.ResponseWriter
	gauge  *gauge
	key    string
	status int                // 0 until known. Only a final status counts; 101 is final
	values [mostFields]string // room for the values of the fields
}

// begin notes the status and adds the fields, the first time. The header is sent after begin.
func (w *recorder) begin(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	w.gauge.admitted(w.Header(), w.key, w.values[:])
}

func (w *recorder) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.begin(status) // another answer follows any other status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// WriteString implements io.StringWriter. If the writer inside has no WriteString, Write does the
// same.
func (w *recorder) WriteString(s string) (int, error) {
	w.begin(http.StatusOK)
	return io.WriteString(w.ResponseWriter, s)
}

// FlushError flushes for http.ResponseController. Every recorder has FlushError, also if the writer
// inside is no http.Flusher: the controller would unwrap the recorder otherwise, and flush past it.
func (w *recorder) FlushError() error {
	before := w.status
	w.begin(http.StatusOK)
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if errors.Is(err, http.ErrNotSupported) {
		w.status = before // nothing was sent
	}
	return err
}

// Unwrap returns the writer inside, for http.ResponseController.
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

// sniffed is the number of bytes by which net/http tells the type of a content
// (http.DetectContentType).
const sniffed = 512

// readFrom copies r. The beginning goes through Write, as in net/http: a source without any bytes
// sends no header, so that the handler may yet answer with an error. The rest may go by sendfile.
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
