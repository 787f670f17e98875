package enginehttp

import (
	"context"
	"io"
	"sync"
	"time"
)

const (
	// probePatience is how long a request with the leave of a probe may wait for its body, in all, until
	// the leave goes back.
	probePatience = 100 * time.Millisecond
	// slowBody is how long a body must have been awaited for its reader to be blamed if the other side
	// gives up first.
	slowBody = time.Second
)

// requestBody is the body of a request on its way to a reader: Base, or the Next of a Handler. It notes
// whether its source failed, and how long the reader had to wait for its source.
type requestBody struct {
	source io.ReadCloser
	length int64 // that the request promises; negative if the request promises none
	began  time.Time
	close  func() error // closes source once
	forget func() bool  // ends the watch for the end of the context

	mu     sync.Mutex
	since  time.Time     // when the Read under way began; zero if none is
	waited time.Duration // in the Reads that have returned
	read   int64
	ended  bool // source has come to its end
	failed bool // source has failed
	closed bool
	owed   bool        // source was awaited when the body was closed
	cause  error       // why the reader's time was up; nil while it is not
	late   func()      // called once, by timer, when waited reaches probePatience; nil if nobody wants to know
	timer  *time.Timer // runs while a Read is under way
}

// watch returns a requestBody for body that is closed when ctx ends, so that a Read under way returns.
// late, if it is not nil, is called when the reader has waited for probePatience.
func watch(ctx context.Context, body io.ReadCloser, length int64, late func()) *requestBody {
	b := &requestBody{source: body, length: length, began: time.Now(), close: sync.OnceValue(body.Close), late: late}
	b.forget = context.AfterFunc(ctx, func() { _ = b.shut(context.Cause(ctx)) }) // stopped by settle
	return b
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	b.begin()
	n, err := b.source.Read(p)
	return n, b.end(n, err)
}

func (b *requestBody) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.since = time.Now()
	switch {
	case b.late == nil:
	case b.timer == nil:
		b.timer = time.AfterFunc(probePatience, b.fire) // stopped by end
	default:
		b.timer.Reset(probePatience - b.waited)
	}
}

// end returns the error of a Read that returned n and err.
func (b *requestBody) end(n int, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waited += time.Since(b.since)
	b.since = time.Time{}
	if b.timer != nil {
		b.timer.Stop()
	}
	b.read += int64(n)
	switch {
	case err == io.EOF: //nolint:errorlint // readers return it as it is
		b.ended = true
	case err != nil && b.cause != nil:
		return b.cause
	case err != nil && !b.closed:
		b.failed = true
	}
	return err
}

// fire calls late, once.
func (b *requestBody) fire() {
	b.mu.Lock()
	late := b.late
	b.late = nil
	b.mu.Unlock()
	if late != nil {
		late()
	}
}

// Close implements io.Closer.
func (b *requestBody) Close() error { return b.shut(nil) }

// shut closes the body; cause is why the reader's time is up, or nil.
func (b *requestBody) shut(cause error) error {
	b.mu.Lock()
	b.closed = true
	b.owed = b.owed || !b.since.IsZero()
	b.cause = cause
	b.mu.Unlock()
	return b.close()
}

// settle ends the watch, when the reader has done with the request.
func (b *requestBody) settle() {
	b.forget()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.late = nil
	if b.timer != nil {
		b.timer.Stop()
	}
}

// faulty reports whether the source failed, or is not as long as the request promises.
func (b *requestBody) faulty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed || b.length >= 0 && (b.read > b.length || b.ended && b.read < b.length)
}

// slow reports whether the source is to blame for an attempt that took too long. If the attempt's time is
// up, the source is to blame if it is awaited, or has been for at least half of the time since began.
// If the reader has given up earlier, the source must owe the rest of the body and have been awaited for
// half of the time and for slowBody.
func (b *requestBody) slow(timeUp bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	waited, awaited := b.waited, b.owed
	if !b.since.IsZero() {
		waited, awaited = waited+time.Since(b.since), true
	}
	half := 2*waited >= time.Since(b.began)
	if timeUp {
		return awaited || half
	}
	return half && !b.ended && waited >= slowBody
}
