package enginehttp

import (
	"context"
	"io"
	"sync"
	"time"
)

// slowBody is how long a body must have been awaited for its source to be blamed if the reader
// gives up before its time is up.
const slowBody = time.Second

// requestBody is the body of a request on its way to a reader: Base, or the Next of a Handler. It
// notes whether its source failed, and how long the reader had to wait for its source.
type requestBody struct {
	source io.ReadCloser
	length int64 // promised by the request; negative: unknown
	began  time.Time
	close  func() error // closes source once
	forget func() bool  // undoes endWith; may be nil
	atEnd  func()       // called by the Read that comes to the end of source; may be nil

	mu     sync.Mutex
	since  time.Time     // when the Read under way began; zero if none is
	waited time.Duration // in the Reads that have returned
	read   int64
	ended  bool // source has come to its end
	failed bool // source has failed
	closed bool
	owed   bool        // source was awaited when the body was closed
	cause  error       // why the reader's time was up; nil while it is not
	lease  *lease      // gives a probe's place back when waited reaches its patience; may be nil
	timer  *time.Timer // for that; runs while a Read is under way
}

// watch returns a requestBody for body, under lease if that is not nil.
func watch(body io.ReadCloser, length int64, lease *lease) *requestBody {
	return &requestBody{source: body, length: length, began: time.Now(), close: sync.OnceValue(body.Close), lease: lease}
}

// endWith has the body closed when ctx ends, so that a Read under way returns, until settle is
// called.
func (b *requestBody) endWith(ctx context.Context) {
	b.forget = context.AfterFunc(ctx, func() { _ = b.shut(context.Cause(ctx)) })
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
	case b.lease == nil || b.lease.patience == 0:
	case b.timer == nil:
		b.timer = time.AfterFunc(b.lease.patience, b.fire) // stopped by end
	default:
		b.timer.Reset(b.lease.patience - b.waited)
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
		if b.ended = true; b.atEnd != nil {
			b.atEnd()
		}
	case err != nil && b.cause != nil:
		return b.cause
	case err != nil && !b.closed:
		b.failed = true
	}
	return err
}

// fire has the lease give a probe's place back.
func (b *requestBody) fire() {
	b.mu.Lock()
	lease := b.lease
	b.lease = nil
	b.mu.Unlock()
	if lease != nil {
		lease.giveBack()
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
	if b.forget != nil {
		b.forget()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lease = nil
	if b.timer != nil {
		b.timer.Stop()
	}
}

// bodyState is the part of the source in an attempt that has ended.
type bodyState struct {
	faulty  bool // the source failed, or is not as long as the request promises
	awaited bool // the reader waits for the source, or did so when the body was closed
	slow    bool // the reader spent at least half of its time waiting for the source
	owing   bool // the source owes the rest of the body, and was awaited for slowBody
}

// state returns the state of the body.
func (b *requestBody) state() bodyState {
	b.mu.Lock()
	defer b.mu.Unlock()
	waited, awaited := b.waited, b.owed
	if !b.since.IsZero() {
		waited, awaited = waited+time.Since(b.since), true
	}
	return bodyState{
		faulty:  b.failed || b.length >= 0 && (b.read > b.length || b.ended && b.read < b.length),
		awaited: awaited,
		slow:    2*waited >= time.Since(b.began),
		owing:   !b.ended && b.read != b.length && waited >= slowBody,
	}
}

// outOfTime reports whether the source has used up the time of a reader whose time is up.
func (s bodyState) outOfTime() bool { return s.awaited || s.slow }
