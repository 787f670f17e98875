package guard

import (
	"sync/atomic"
	"unsafe"

	"github.com/limitpal/limitpal-go/breaker"
)

// Counters are the counters of an engine, in rows. Whoever counts adds to a row, and whoever asks adds up
// the rows. So processors that count at the same time seldom write to the same cache line.
type Counters struct {
	rows [1 << rowBits]Row

	// Of events that are rare, or cost more than a contended cache line.
	GaveUp, KeyLimit, KeptSpent, Retries atomic.Uint64
	OpenKeys, HalfOpenKeys               atomic.Int64
}

// Row is a cache line of counters.
type Row struct {
	Admitted, Limited, Open, QueueFull atomic.Uint64
	Successes, Failures, Ignored       atomic.Uint64
	Waiting                            atomic.Int64 // those that came less those that left; in one row perhaps below 0
}

const rowBits = 6

// Row returns the row of the calling goroutine, which its stack chooses: of two goroutines that run at
// the same time, each has a row of its own nearly always, and a goroutine keeps its row for long. A row for
// each key instead would be a second cache line that the callers of one key contend for.
func (c *Counters) Row() *Row {
	const (
		pages  = 11                 // a stack has 2 KB at least
		golden = 0x9e3779b97f4a7c15 // 2^64 / golden ratio spreads the numbers of pages (Fibonacci hashing)
	)
	var here byte
	page := uint64(uintptr(unsafe.Pointer(&here))) >> pages
	return &c.rows[page*golden>>(64-rowBits)]
}

// Sum returns the sum of all rows.
func (c *Counters) Sum() *Row {
	sum := new(Row)
	for i := range c.rows {
		r := &c.rows[i]
		sum.Admitted.Add(r.Admitted.Load())
		sum.Limited.Add(r.Limited.Load())
		sum.Open.Add(r.Open.Load())
		sum.QueueFull.Add(r.QueueFull.Load())
		sum.Successes.Add(r.Successes.Load())
		sum.Failures.Add(r.Failures.Load())
		sum.Ignored.Add(r.Ignored.Load())
		sum.Waiting.Add(r.Waiting.Load())
	}
	return sum
}

// moved takes note that a key's breaker has changed its state or, being forgotten, has closed.
func (c *Counters) moved(from, to breaker.State) {
	if from != to {
		c.keysIn(from, -1)
		c.keysIn(to, 1)
	}
}

func (c *Counters) keysIn(state breaker.State, more int64) {
	switch state {
	case breaker.Open:
		c.OpenKeys.Add(more)
	case breaker.HalfOpen:
		c.HalfOpenKeys.Add(more)
	}
}
