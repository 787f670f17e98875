package guard

import (
	"sync/atomic"
	"unsafe"

	"github.com/limitpal/limitpal-go/breaker"
)

// Counters are the counters of an engine. The counters of every call are spread over stripes: a count adds
// to one stripe, and [Counters.Sum] adds up the stripes. So processors that count at the same time seldom
// write to the same cache line. Make Counters with new: then each stripe is a cache line.
type Counters struct {
	stripes [1 << SpreadBits]Stripe
	Refused Refused

	// Of events that are rare, or that cost much more than a contended cache line.
	GaveUp, KeyLimit, KeptSpent, Retries, ShadowRefused, Slow, TimedOut, InFlightFull, QueueFull atomic.Uint64
	Held                                                                                         atomic.Int64 // places that outlast their calls
	OpenKeys, HalfOpenKeys                                                                       atomic.Int64
	Tripped, Probing, Recovered                                                                  atomic.Uint64

	// ForcedKeys is where its reader wants it: an engine looks at it before every call that asks nothing else.
	ForcedKeys *atomic.Int64
}

// Stripe is a cache line of counters.
type Stripe struct {
	Admitted, Taken, Limited, Open atomic.Uint64 // Admitted to make a call; Taken: tokens, without a call
	Successes, Failures, Ignored   atomic.Uint64
	Waiting                        atomic.Int64 // those that came less those that left; in one stripe perhaps below 0
}

// CountRefusal adds a refusal of the key of cell to a counter.
func (c *Counters) CountRefusal(counter *atomic.Uint64, cell *Cell) {
	if n := counter.Add(1); Sampled(n) {
		c.Refused.Count(cell, n)
	}
}

// SpreadBits is the number of bits of an answer of [Spread].
const SpreadBits = 6

// Stripe returns the stripe of the calling goroutine.
func (c *Counters) Stripe() *Stripe { return c.At(Spread()) }

// At returns the stripe of an answer of [Spread].
func (c *Counters) At(spread uint64) *Stripe { return &c.stripes[spread%(1<<SpreadBits)] }

// Spread returns a number below 2^SpreadBits, which the stack of the calling goroutine chooses. Two goroutines
// that run at the same time have different numbers nearly always, and a goroutine keeps its number for
// long. A number for each key instead would be a second cache line for the callers of one key to contend
// for.
func Spread() uint64 {
	const page = 11 // bits; a stack has 2 KB at least
	var here byte
	stack := uint64(uintptr(unsafe.Pointer(&here))) >> page
	return stack * golden >> (64 - SpreadBits)
}

// Sum returns the sum of all stripes.
func (c *Counters) Sum() *Stripe {
	sum := new(Stripe)
	for i := range c.stripes {
		s := &c.stripes[i]
		sum.Admitted.Add(s.Admitted.Load())
		sum.Limited.Add(s.Limited.Load())
		sum.Open.Add(s.Open.Load())
		sum.Taken.Add(s.Taken.Load())
		sum.Successes.Add(s.Successes.Load())
		sum.Failures.Add(s.Failures.Load())
		sum.Ignored.Add(s.Ignored.Load())
		sum.Waiting.Add(s.Waiting.Load())
	}
	return sum
}

// moved takes note that a key's breaker has changed its state or, being forgotten, has closed.
func (c *Counters) moved(from, to breaker.State) {
	if from != to {
		c.keysIn(from, -1)
		c.keysIn(to, 1)
		switch to {
		case breaker.Open:
			c.Tripped.Add(1)
		case breaker.HalfOpen:
			c.Probing.Add(1)
		default:
			c.Recovered.Add(1)
		}
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
