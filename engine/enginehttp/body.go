package enginehttp

import (
	"context"
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

// bind has the context of the attempt, and whatever the engine keeps of it, end with the body of its response. Without
// a body they end at once.
func (a *attempts) bind() {
	body := a.resp.Body
	switch {
	case body == nil || body == http.NoBody:
		if a.ctx != nil {
			a.ctx.end()
			a.ctx = nil
		}
		return
	case a.ctx == nil && !a.keeps:
		return
	case a.ctx != nil && a.resp.StatusCode == http.StatusSwitchingProtocols:
		a.ctx.timer.Stop() // the attempt has succeeded, and the bytes that follow are no response
	}
	b := &attemptBody{ReadCloser: body, in: a.in, ctx: a.ctx, hold: new(engine.Hold)}
	if a.lease != nil {
		b.hold = &a.lease.hold
	}
	if a.keeps {
		a.hold = b.hold
	}
	a.resp.Body = b
	if w, ok := body.(io.Writer); ok {
		a.resp.Body = &attemptStream{attemptBody: b, Writer: w}
	}
}

// attemptBody is the body of a response whose attempt has a context of its own, or has a place or a context of the
// engine's. They end when the body is closed, is at its end, or cannot be read.
type attemptBody struct {
	io.ReadCloser
	in   context.Context // of the attempt
	ctx  *attemptContext // nil if there is none
	hold *engine.Hold
}

func (b *attemptBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == nil {
		return n, nil
	}
	if err != io.EOF { //nolint:errorlint // a reader returns io.EOF as it is
		err = explain(b.in, err)
	}
	b.end()
	return n, err
}

func (b *attemptBody) Close() error {
	defer b.end() // behind Close, so that the end of the context does not disturb Close
	return b.ReadCloser.Close()
}

func (b *attemptBody) end() {
	if b.ctx != nil {
		b.ctx.end()
	}
	b.hold.Release()
}

// attemptStream is an attemptBody that can be written to, as after a 101 Switching Protocols.
type attemptStream struct {
	*attemptBody
	io.Writer
}

// Read ends nothing: the other direction may still be in use.
func (s *attemptStream) Read(p []byte) (int, error) { return s.ReadCloser.Read(p) }

// CloseWrite ends the direction to the server, if the body can do so, as a body of net/http can.
func (s *attemptStream) CloseWrite() error { return closeWrite(s.ReadCloser) }

// closeWrite ends the direction to the server of a body that can do so.
func closeWrite(body io.ReadCloser) error {
	if w, ok := body.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return fmt.Errorf("enginehttp: CloseWrite: %w", http.ErrNotSupported)
}
