package enginehttp

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

const (
	drainBytes = 4 << 10                // to read a longer body costs more than a new connection
	drainTime  = 100 * time.Millisecond // for the next attempt must not wait long
)

// drainBody closes the body of a response that nobody wants. If the end of the body is near,
// drainBody reads to the end first, so that the connection can be used again.
func drainBody(resp *http.Response) {
	body := resp.Body
	if body == nil {
		return
	}
	if resp.ContentLength <= drainBytes {
		// Close makes a Read return that waits for the server. The timer is stopped when Read has
		// returned.
		late := time.AfterFunc(drainTime, func() { _ = body.Close() })
		_, _ = io.CopyN(io.Discard, body, drainBytes+1) // the end comes after the last byte
		if !late.Stop() {
			return
		}
	}
	_ = body.Close()
}

// hold has the place of the attempt held until the body of its response is closed, is at its end, or cannot be read.
// Without places or without a body the result is nil.
func (a *attempts) hold() *engine.Hold {
	body := a.resp.Body
	if !a.bounded || body == nil || body == http.NoBody {
		return nil
	}
	h := &heldBody{ReadCloser: body}
	a.resp.Body = h
	if w, ok := body.(io.Writer); ok {
		a.resp.Body = &heldStream{heldBody: h, Writer: w}
	}
	return &h.hold
}

// heldBody is the body of a response that holds the place of its attempt.
type heldBody struct {
	io.ReadCloser
	hold engine.Hold
}

func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.hold.Release()
	}
	return n, err
}

func (b *heldBody) Close() error {
	defer b.hold.Release()
	return b.ReadCloser.Close()
}

// heldStream is a heldBody that can be written to, as after a 101 Switching Protocols.
type heldStream struct {
	*heldBody
	io.Writer
}

// Read does not give the place back: the other direction may still be in use.
func (s *heldStream) Read(p []byte) (int, error) { return s.ReadCloser.Read(p) }

// CloseWrite is that of attemptStream.
func (s *heldStream) CloseWrite() error { return closeWrite(s.ReadCloser) }

// attemptBody is the body of a response whose attempt has a context of its own. The context ends
// when the body is closed, is at its end, or cannot be read.
type attemptBody struct {
	ctx  *attemptContext
	body io.ReadCloser
}

// newAttemptBody ties body to ctx. A body that can be written to, as after a 101 Switching
// Protocols, remains so.
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
	if err != io.EOF { //nolint:errorlint // a reader returns io.EOF as it is
		err = b.ctx.explain(err)
	}
	b.ctx.end()
	return n, err
}

func (b *attemptBody) Close() error {
	err := b.body.Close() // first, so that the end of the context does not disturb Close
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

// CloseWrite ends the direction to the server, if the body can do so, as a body of net/http can.
func (s *attemptStream) CloseWrite() error { return closeWrite(s.body) }

// closeWrite ends the direction to the server of a body that can do so.
func closeWrite(body io.ReadCloser) error {
	if w, ok := body.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return fmt.Errorf("enginehttp: CloseWrite: %w", http.ErrNotSupported)
}
