package enginehttp

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// The interfaces that an http.ResponseWriter may offer besides.
const (
	flushes = 1 << iota
	hijacks
	pushes
	readsFrom
)

// The recorders that offer more: one type for each combination, since the methods of a value are
// fixed by its type. F is http.Flusher, H http.Hijacker, P http.Pusher, R io.ReaderFrom. Each type
// adds the last of its letters to the embedded type. Every type holds one pointer, so that an
// interface of such a value allocates nothing.
type (
	recorderF    struct{ *recorder }
	recorderH    struct{ *recorder }
	recorderP    struct{ *recorder }
	recorderR    struct{ *recorder }
	recorderFH   struct{ recorderF }
	recorderFP   struct{ recorderF }
	recorderFR   struct{ recorderF }
	recorderHP   struct{ recorderH }
	recorderHR   struct{ recorderH }
	recorderPR   struct{ recorderP }
	recorderFHP  struct{ recorderFH }
	recorderFHR  struct{ recorderFH }
	recorderFPR  struct{ recorderFP }
	recorderHPR  struct{ recorderHP }
	recorderFHPR struct{ recorderFHP }
)

func (w recorderF) Flush() { w.flush() }

func (w recorderH) Hijack() (net.Conn, *bufio.ReadWriter, error)  { return w.hijack() }
func (w recorderFH) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.hijack() }

func (w recorderP) Push(target string, opts *http.PushOptions) error   { return w.push(target, opts) }
func (w recorderFP) Push(target string, opts *http.PushOptions) error  { return w.push(target, opts) }
func (w recorderHP) Push(target string, opts *http.PushOptions) error  { return w.push(target, opts) }
func (w recorderFHP) Push(target string, opts *http.PushOptions) error { return w.push(target, opts) }

func (w recorderR) ReadFrom(r io.Reader) (int64, error)    { return w.readFrom(r) }
func (w recorderFR) ReadFrom(r io.Reader) (int64, error)   { return w.readFrom(r) }
func (w recorderHR) ReadFrom(r io.Reader) (int64, error)   { return w.readFrom(r) }
func (w recorderPR) ReadFrom(r io.Reader) (int64, error)   { return w.readFrom(r) }
func (w recorderFHR) ReadFrom(r io.Reader) (int64, error)  { return w.readFrom(r) }
func (w recorderFPR) ReadFrom(r io.Reader) (int64, error)  { return w.readFrom(r) }
func (w recorderHPR) ReadFrom(r io.Reader) (int64, error)  { return w.readFrom(r) }
func (w recorderFHPR) ReadFrom(r io.Reader) (int64, error) { return w.readFrom(r) }

// dressed returns w with the interfaces that the http.ResponseWriter inside offers.
func (w *recorder) dressed() http.ResponseWriter {
	offers := 0
	if _, ok := w.ResponseWriter.(http.Flusher); ok {
		offers |= flushes
	}
	if _, ok := w.ResponseWriter.(http.Hijacker); ok {
		offers |= hijacks
	}
	if _, ok := w.ResponseWriter.(http.Pusher); ok {
		offers |= pushes
	}
	if _, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		offers |= readsFrom
	}
	switch offers {
	case flushes:
		return recorderF{w}
	case hijacks:
		return recorderH{w}
	case pushes:
		return recorderP{w}
	case readsFrom:
		return recorderR{w}
	case flushes | hijacks:
		return recorderFH{recorderF{w}}
	case flushes | pushes: // HTTP/2
		return recorderFP{recorderF{w}}
	case flushes | readsFrom:
		return recorderFR{recorderF{w}}
	case hijacks | pushes:
		return recorderHP{recorderH{w}}
	case hijacks | readsFrom:
		return recorderHR{recorderH{w}}
	case pushes | readsFrom:
		return recorderPR{recorderP{w}}
	case flushes | hijacks | pushes:
		return recorderFHP{recorderFH{recorderF{w}}}
	case flushes | hijacks | readsFrom: // HTTP/1
		return recorderFHR{recorderFH{recorderF{w}}}
	case flushes | pushes | readsFrom:
		return recorderFPR{recorderFP{recorderF{w}}}
	case hijacks | pushes | readsFrom:
		return recorderHPR{recorderHP{recorderH{w}}}
	case flushes | hijacks | pushes | readsFrom:
		return recorderFHPR{recorderFHP{recorderFH{recorderF{w}}}}
	default:
		return w
	}
}
