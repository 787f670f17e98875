package proxy

import (
	"sync"
	"sync/atomic"
)

// inFlight counts requests that have begun and not ended, those included whose connection was switched to another protocol.
type inFlight struct {
	requests atomic.Int64
	draining atomic.Bool
	once     sync.Once
	idle     chan struct{} // closed when draining and no request is running
}

func newInFlight() *inFlight { return &inFlight{idle: make(chan struct{})} }

func (f *inFlight) begin() { f.requests.Add(1) }

func (f *inFlight) end() {
	if f.requests.Add(-1) == 0 && f.draining.Load() {
		f.once.Do(f.settle)
	}
}

// drain returns a channel that is closed when no request is running. No request may begin from now on that is not cut off at once.
func (f *inFlight) drain() <-chan struct{} {
	f.draining.Store(true) // before the number is read: whoever ends the last request after that sees it
	if f.requests.Load() == 0 {
		f.once.Do(f.settle)
	}
	return f.idle
}

func (f *inFlight) settle() { close(f.idle) }
