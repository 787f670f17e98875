package proxy

import (
	"sync"
	"sync/atomic"
)

// inFlight counts the requests that have begun and not ended. A request counts on after its
// connection was switched to another protocol.
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

// drain returns a channel that is closed when no request is running. A request that begins after
// drain must be cut off at once.
func (f *inFlight) drain() <-chan struct{} {
	f.draining.Store(true) // before the number is read, so that the end of the last request sees draining
	if f.requests.Load() == 0 {
		f.once.Do(f.settle)
	}
	return f.idle
}

func (f *inFlight) settle() { close(f.idle) }
