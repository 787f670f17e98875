package actors

import "sync/atomic"

// Call is one ask: a caller sends a message with a pointer to it and waits for the answer. Either the actor claims the
// call and then answers it, or the caller leaves; the one compare-and-swap on the call decides, so never both.
//
// Make one with [NewCall]. It may be used again, after Reset, by whoever saw it end: the caller that received the answer,
// or the actor that found it left.
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

// Claim is the actor's: it reports whether the caller is still there, who from now on cannot leave and must be answered.
func (c *Call[A]) Claim() bool { return c.state.CompareAndSwap(asked, claimed) }

// Answer is the actor's, once after Claim. It never blocks.
func (c *Call[A]) Answer(a A) { c.answer <- a }

// Answers is the channel that Answer sends on, for a message that carries it along: an actor that answers a caller who
// cannot leave has no need to touch the call, which is in another processor's cache.
func (c *Call[A]) Answers() chan<- A { return c.answer }

// Left reports whether the caller has left.
func (c *Call[A]) Left() bool { return c.state.Load() == left }

// Leave is the caller's: it reports whether the caller is free to go. If not, the actor has claimed the call and the
// answer is about to come.
func (c *Call[A]) Leave() bool { return c.state.CompareAndSwap(asked, left) }

// Answered is the caller's: the channel on which the one answer comes.
func (c *Call[A]) Answered() <-chan A { return c.answer }
