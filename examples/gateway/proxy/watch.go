package proxy

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// watch is the timer of an attempt. The timer stops while the client is waited for, and starts anew
// afterwards.
type watch struct {
	timeout time.Duration
	cancel  context.CancelCauseFunc
	begun   time.Time
	asked   atomic.Int64 // ns from begun until the attempt had a connection or dialed, at least 1; 0 before, and if no attempt may have to wait for a connection

	mu      sync.Mutex
	timer   *time.Timer
	waiting int           // number of reads under way
	since   time.Time     // of the first of these reads
	awaited time.Duration // of all reads that have ended
	state   watchState
}

// watchKey is the key of the watch in the context of an attempt.
type watchKey struct{}

type watchState uint8

const (
	running watchState = iota
	ended
	expired
)

func (w *watch) start() {
	w.begun = time.Now()
	w.timer = time.AfterFunc(w.timeout, w.expire) // stopped by end
}

// ask notes that the attempt has a connection, or dials.
func (w *watch) ask() { w.asked.CompareAndSwap(0, max(1, int64(time.Since(w.begun)))) }

func (w *watch) expire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == running && w.waiting == 0 {
		w.state = expired
		w.cancel(errSilent)
	}
}

// pause stops the timer, until resume has been called as often as pause.
func (w *watch) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting++; w.waiting == 1 {
		w.since = time.Now()
	}
	if w.state == running {
		w.timer.Stop()
	}
}

func (w *watch) resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting--; w.waiting > 0 {
		return
	}
	w.awaited += time.Since(w.since)
	if w.state == running {
		w.timer.Reset(w.timeout)
	}
}

// spent is the time of an attempt.
type spent struct {
	total   time.Duration
	foreign time.Duration // the part in which the client was awaited, or one of max_connections
}

// spent returns the time of the attempt until now.
func (w *watch) spent() spent {
	w.mu.Lock()
	defer w.mu.Unlock()
	foreign := w.awaited + time.Duration(w.asked.Load())
	if w.waiting > 0 {
		foreign += time.Since(w.since)
	}
	return spent{time.Since(w.begun), foreign}
}

// end stops the watch, and reports whether the time was up before.
func (w *watch) end() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == running {
		w.state = ended
		w.timer.Stop()
	}
	return w.state == expired
}

// follow pauses the watch during each read of the body of req, and of the bodies that GetBody
// returns.
func (w *watch) follow(req *http.Request) {
	req.Body = &watchedBody{req.Body, w}
	if again := req.GetBody; again != nil {
		req.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			if err != nil {
				return nil, err
			}
			return &watchedBody{body, w}, nil
		}
	}
}

// watchedBody is the body of a request. The upstream is not silent while the body is read.
type watchedBody struct {
	io.ReadCloser
	watch *watch
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.watch.pause()
	defer b.watch.resume()
	return b.ReadCloser.Read(p)
}
