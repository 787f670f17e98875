package enginehttp

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	drainBytes = 4 << 10                // a longer body costs more to read than a new connection
	drainTime  = 100 * time.Millisecond // a server that stalls in the middle of it must not hold up the next attempt
)

// drainBody reads the body of a response that nobody wants to its end, so that its connection can be used again, if that is near, and
// closes it.
func drainBody(resp *http.Response) {
	body := resp.Body
	if body == nil {
		return
	}
	if resp.ContentLength <= drainBytes {
		// Close is what makes a Read return that waits for the server. This ends when Read has returned, or with the call of Close.
		late := time.AfterFunc(drainTime, func() { _ = body.Close() })
		_, _ = io.CopyN(io.Discard, body, drainBytes+1) // the end comes after the last byte
		if !late.Stop() {
			return
		}
	}
	_ = body.Close()
}

// attemptBody is the body of a response whose attempt has a context of its own: the context ends when the body is closed, at its end, or
// cannot be read.
type attemptBody struct {
	ctx  *attemptContext
	body io.ReadCloser
}

// newAttemptBody ties body to ctx. One that can be written to, as that of a 101 Switching Protocols can, remains so.
func newAttemptBody(ctx *attemptContext, body io.ReadCloser) io.ReadCloser {
	b := attemptBody{ctx, body}
	if w, ok := body.(io.Writer); ok {
		return &attemptStream{attemptBody: b, Writer: w}
	}
	return &b
}

func (b *attemptBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err == nil {
		return n, nil
	}
	if err != io.EOF { //nolint:errorlint // readers return it as it is, and so must this one
		err = b.ctx.explain(err)
	}
	b.ctx.end()
	return n, err
}

func (b *attemptBody) Close() error {
	err := b.body.Close() // first, so that what it does is not disturbed
	b.ctx.end()
	return err
}

// attemptStream is an attemptBody that can be written to.
type attemptStream struct {
	attemptBody
	io.Writer
}

// Read does not end the context: the other direction may still be in use.
func (s *attemptStream) Read(p []byte) (int, error) { return s.body.Read(p) }

// CloseWrite ends the direction to the server, as the body of net/http can do since it can be written to.
func (s *attemptStream) CloseWrite() error {
	if w, ok := s.body.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return fmt.Errorf("enginehttp: CloseWrite: %w", http.ErrNotSupported)
}
