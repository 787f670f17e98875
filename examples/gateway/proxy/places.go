package proxy

import (
	"container/list"
	"sync"
)

// places bounds a number of connections. Each connection takes a place, first come, first served.
// The number of places may change.
type places struct {
	mu      sync.Mutex
	most    int // 0: no bound
	taken   int
	waiting list.List // of chan struct{}: closed when a place was taken for the wait
}

func newPlaces(most int) *places { return &places{most: most} }

// take waits for a place, and reports whether there is one. The wait ends with either channel.
func (p *places) take(done, closed <-chan struct{}) bool {
	p.mu.Lock()
	if p.waiting.Len() == 0 && p.free() {
		p.taken++
		p.mu.Unlock()
		return true
	}
	mine := make(chan struct{})
	turn := p.waiting.PushBack(mine)
	p.mu.Unlock()
	select {
	case <-mine:
		return true
	case <-done:
	case <-closed:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-mine: // meanwhile
		return true
	default:
		p.waiting.Remove(turn)
		return false
	}
}

// give gives a place back.
func (p *places) give() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	p.admit()
}

// resize changes the number of places. Connections that have places keep them, also if there are
// more of these connections than places.
func (p *places) resize(most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most = most
	p.admit()
}

// confirm reports whether the number of places still allows a place that was taken; if not, confirm
// gives the place back and waits for another.
func (p *places) confirm(closed <-chan struct{}) bool {
	p.mu.Lock()
	within := p.most == 0 || p.taken <= p.most
	p.mu.Unlock()
	if within {
		return true
	}
	p.give()
	return p.take(nil, closed)
}

// free reports whether a place is free. The caller holds mu.
func (p *places) free() bool { return p.most == 0 || p.taken < p.most }

// admit gives free places to the waits. The caller holds mu.
func (p *places) admit() {
	for p.waiting.Len() > 0 && p.free() {
		p.taken++
		close(p.waiting.Remove(p.waiting.Front()).(chan struct{}))
	}
}
