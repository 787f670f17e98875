package proxy

import (
	"context"
	"io"
	"sync"
	"time"
)

// watch is a timer that can be paused and begins anew after that.
type watch struct {
	timeout time.Duration
	cancel  context.CancelCauseFunc

	mu    sync.Mutex
	timer *time.Timer
	state watchState
}

type watchState uint8

const (
	running watchState = iota
	paused
	ended
	expired
)

func (w *watch) start() { w.timer = time.AfterFunc(w.timeout, w.expire) } // stopped by end

func (w *watch) expire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == running {
		w.state = expired
		w.cancel(errSilent)
	}
}

// turn changes from one state to another, if it is in the first.
func (w *watch) turn(from, to watchState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != from {
		return
	}
	w.state = to
	if to == running {
		w.timer.Reset(w.timeout)
	} else {
		w.timer.Stop()
	}
}

// end stops the watch and reports whether the time was up before.
func (w *watch) end() bool {
	w.turn(running, ended)
	w.turn(paused, ended)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state == expired
}

// watchedBody is the body of a request, during whose reading the upstream is not the one who is silent.
type watchedBody struct {
	io.ReadCloser
	watch *watch
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.watch.turn(running, paused)
	n, err := b.ReadCloser.Read(p)
	b.watch.turn(paused, running)
	return n, err
}
