package enginehttp

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
)

// sentBody is the body of an attempt. If an http.Transport finds its connection closed, the
// http.Transport may ask for the body once more; the last body counts.
type sentBody struct {
	ctx    context.Context
	req    *http.Request // the caller's
	length int64
	lease  *lease // nil if there is none
	last   atomic.Pointer[requestBody]
}

func newSentBody(ctx context.Context, req *http.Request, lease *lease) *sentBody {
	s := &sentBody{ctx: ctx, req: req, length: req.ContentLength, lease: lease}
	if s.length == 0 {
		s.length = -1 // unknown, beside a body
	}
	return s
}

// watched returns body, watched in place of the body before.
func (s *sentBody) watched(body io.ReadCloser) io.ReadCloser {
	b := watch(body, s.length, s.lease)
	b.endWith(s.ctx)
	if before := s.last.Swap(b); before != nil {
		before.settle()
	}
	return b
}

// again is the GetBody of the request for Base.
func (s *sentBody) again() (io.ReadCloser, error) {
	body, err := s.req.GetBody()
	if err == nil && mayFail(body) {
		body = s.watched(body)
	}
	return body, err
}

func (s *sentBody) settle() { s.last.Load().settle() }

// toBlame reports whether the source of the body is to blame for an attempt that failed; timeUp
// says that the attempt's time was up. A server that hangs up while it waits for the body for long
// is not to blame.
func (s *sentBody) toBlame(timeUp bool) bool {
	if s == nil {
		return false
	}
	state := s.last.Load().state()
	return state.faulty || timeUp && state.outOfTime() || state.slow && state.owing
}

var (
	nopCloser         = reflect.TypeOf(io.NopCloser(nil))
	nopCloserWriterTo = reflect.TypeOf(io.NopCloser(struct {
		io.Reader
		io.WriterTo
	}{}))
)

// mayFail reports whether body can fail without a telling type of error, or can keep its reader
// waiting. The other bodies are readers of memory, which cannot fail, and regular files, whose
// errors tell. net/http sends such a body faster if the body is not wrapped. A file that is not
// regular is perhaps a pipe or a terminal.
func mayFail(body io.ReadCloser) bool {
	if body == nil || body == http.NoBody {
		return false
	}
	var source io.Reader = body
	if t := reflect.TypeOf(body); t == nopCloser || t == nopCloserWriterTo {
		source, _ = reflect.ValueOf(body).Field(0).Interface().(io.Reader)
	}
	switch source := source.(type) {
	case *bytes.Buffer, *bytes.Reader, *strings.Reader:
		return false
	case *os.File:
		info, err := source.Stat()
		return err != nil || !info.Mode().IsRegular()
	}
	return true
}
