// Package mailbox is the bounded, typed queue before an actor.
//
// Any number of goroutines put; one goroutine, the owner, takes. What sets it apart from a bare channel is its end: a
// mailbox can be closed while others are putting, and every message is then either handed to the owner or refused to
// its sender. None is lost in between, and nothing ever panics on a closed channel.
//
// The three ways in which a put can fail are distinct answers: [ErrFull], [ErrClosed] and [ErrExpired].
package mailbox

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
)

var (
	// ErrFull is the answer of TryPut when the mailbox holds as many messages as its capacity.
	ErrFull = errors.New("mailbox: full")
	// ErrClosed is the answer to every put once the mailbox is closed. The message was not and will not be delivered.
	ErrClosed = errors.New("mailbox: closed")
	// ErrExpired is the answer of Put when its context ended before there was room. The context's error is in the chain
	// too, and the message was not delivered.
	ErrExpired = errors.New("mailbox: expired while waiting for room")
)

// closed is the bit of Mailbox.puts that refuses further puts.
const closed = 1 << 62

// Mailbox is a first-in first-out queue of at most the number of messages given to [New], which makes it.
//
// Put and TryPut may be called by any goroutine. Take, C, Took, Empty, CloseIfEmpty and CloseAndDrain belong to the owner.
type Mailbox[M any] struct {
	ch chan M
	// puts counts the puts that were delivered or are under way; the closed bit is set at the end. A put counts itself
	// before it touches the channel, so puts == taken means that nothing is in the channel or on its way there.
	puts atomic.Int64
	// taken counts the messages received. Owned by the owner.
	taken int64
}

// New returns an empty mailbox for at most capacity messages. It panics when capacity is below 1.
func New[M any](capacity int) *Mailbox[M] {
	if capacity < 1 {
		panic(fmt.Sprintf("mailbox: capacity = %d: must be at least 1", capacity))
	}
	return &Mailbox[M]{ch: make(chan M, capacity)}
}

// TryPut delivers m without waiting. It returns nil, ErrFull or ErrClosed.
func (b *Mailbox[M]) TryPut(m M) error {
	if b.puts.Add(1) >= closed {
		b.puts.Add(-1)
		return ErrClosed
	}
	select {
	case b.ch <- m:
		return nil
	default:
		b.puts.Add(-1)
		return ErrFull
	}
}

// Put delivers m, waiting for room until ctx ends. It returns nil, ErrClosed or an error that is both ErrExpired and the
// context's own error. A context that has already ended does not stop a put for which there is room.
func (b *Mailbox[M]) Put(ctx context.Context, m M) error {
	if b.puts.Add(1) >= closed {
		b.puts.Add(-1)
		return ErrClosed
	}
	done := ctx.Done()
	if done == nil {
		b.ch <- m // a plain send costs less than a select, above all when it has to wait
		return nil
	}
	select {
	case b.ch <- m:
		return nil
	default:
	}
	select {
	case b.ch <- m:
		return nil
	case <-done:
		b.puts.Add(-1)
		return fmt.Errorf("%w: %w", ErrExpired, ctx.Err())
	}
}

// C is the channel to take from in a select; each message received from it must be followed by one call of Took. It is
// never closed.
func (b *Mailbox[M]) C() <-chan M { return b.ch }

// Took tells the mailbox that its owner received a message from C.
func (b *Mailbox[M]) Took() { b.taken++ }

// Take waits for the next message and returns it.
func (b *Mailbox[M]) Take() M {
	m := <-b.ch
	b.taken++
	return m
}

// Empty reports whether no message is in the mailbox or being put at this moment.
func (b *Mailbox[M]) Empty() bool { return b.puts.Load() == b.taken }

// CloseIfEmpty closes the mailbox if no message is in it or being put, and reports whether it did. After true every put
// returns ErrClosed and the owner has nothing left to take.
func (b *Mailbox[M]) CloseIfEmpty() bool {
	return b.puts.CompareAndSwap(b.taken, b.taken|closed)
}

// CloseAndDrain closes the mailbox and hands every message that was delivered, or was being put at that moment, to f.
// When it returns every put returns ErrClosed and the mailbox is empty.
func (b *Mailbox[M]) CloseAndDrain(f func(M)) {
	b.puts.Or(closed)
	for b.puts.Load()&^closed != b.taken {
		select {
		case m := <-b.ch:
			b.taken++
			f(m)
		default:
			// A put has counted itself and is about to reach the channel or to give up: a few instructions away.
			runtime.Gosched()
		}
	}
}
