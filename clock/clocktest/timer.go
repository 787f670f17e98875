package clocktest

import (
	"container/heap"
	"time"
)

// idle is the index of a timer that is not pending.
const idle = -1

// timer is a timer of a Mock. The lock of the Mock guards all but its first two
// fields, and every send on ch.
//
// No stale tick can be received: a send happens only in arm, or when a timer
// that is due leaves the heap; disarm takes the timer off the heap and empties
// ch, so that ch is empty until the timer is armed again.
type timer struct {
	mock *Mock
	ch   chan time.Time // capacity 1

	due    time.Time
	arming uint64 // the order of arming, which decides between equal due times
	index  int    // in the heap, or idle
}

// C returns the channel of the timer, the same for life.
func (t *timer) C() <-chan time.Time { return t.ch }

// Stop disarms the timer, as clock.Timer says.
func (t *timer) Stop() bool {
	t.mock.mu.Lock()
	defer t.mock.mu.Unlock()
	return t.disarm()
}

// Reset disarms the timer and arms it anew, as clock.Timer says.
func (t *timer) Reset(d time.Duration) bool {
	t.mock.mu.Lock()
	defer t.mock.mu.Unlock()
	kept := t.disarm()
	t.arm(d)
	return kept
}

func (t *timer) disarm() bool {
	kept := t.index != idle
	if kept {
		heap.Remove(&t.mock.pending, t.index)
	}
	select {
	case <-t.ch:
		kept = true
	default:
	}
	return kept
}

func (t *timer) arm(d time.Duration) {
	m := t.mock
	now := m.now()
	if d <= 0 {
		t.ch <- now
		return
	}
	m.armings++
	t.arming = m.armings
	t.due = now.Add(d)
	heap.Push(&m.pending, t)
	if t.index == 0 {
		select {
		case m.armed <- struct{}{}:
		default: // Advance has not taken the last one and will look at pending
		}
	}
}

// timerHeap is a container/heap of timers: the earliest first, and the first
// armed among equals.
type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].arming < h[j].arming
	}
	return h[i].due.Before(h[j].due)
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for container/heap.
func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}

// Pop is for container/heap.
func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = idle
	return t
}
