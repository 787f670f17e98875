package actors

import "sync/atomic"

// Call is one ask: a caller sends a message with a pointer to the Call and waits for the answer.
// Either the actor claims the Call and then answers, or the caller leaves. A compare-and-swap
// decides, so never both.
//
// Make a Call with [NewCall]. After Reset the Call may be used again, by the caller that received
// the answer, or by the actor that found the Call left.
type Call[A any] struct {
	state  atomic.Uint32 // asked, claimed or left
	answer chan A        // of capacity 1, so that an actor never waits for a caller
}

const (
	asked = iota
	claimed
	left
)

// NewCall returns a call that is ready to be asked.
func NewCall[A any]() Call[A] { return Call[A]{answer: make(chan A, 1)} }

// Reset makes an ended call ready to be asked again.
func (c *Call[A]) Reset() {
	if c.state.Load() != asked {
		c.state.Store(asked)
	}
}

// Claim reports whether the caller is still there. If Claim returns true, the caller cannot leave
// any more, and must be answered. Only the actor calls Claim.
func (c *Call[A]) Claim() bool { return c.state.CompareAndSwap(asked, claimed) }

// Answer answers the caller, once after Claim. Answer never blocks. Only the actor calls Answer.
func (c *Call[A]) Answer(a A) { c.answer <- a }

// Answers returns the channel that Answer sends on. A message may carry the channel along: an actor
// that answers a caller that cannot leave need not touch the Call, which is in another processor's
// cache.
func (c *Call[A]) Answers() chan<- A { return c.answer }

// Left reports whether the caller has left.
func (c *Call[A]) Left() bool { return c.state.Load() == left }

// Leave reports whether the caller is free to go. If Leave returns false, the actor has claimed the
// Call, and the answer is about to come. Only the caller calls Leave.
func (c *Call[A]) Leave() bool { return c.state.CompareAndSwap(asked, left) }

// Answered returns the channel on which the one answer comes, for the caller.
func (c *Call[A]) Answered() <-chan A { return c.answer }
