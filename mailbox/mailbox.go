// Package mailbox is the bounded, typed queue before an actor.
//
// Any number of goroutines put messages; a single goroutine, the owner, takes messages. The end
// sets a mailbox apart from a bare channel: a mailbox can be closed while goroutines are putting,
// and every message is then either handed to the owner or refused to its sender. No message is lost
// in between, and no put panics on a closed channel.
//
// A put fails in three distinct ways: [ErrFull], [ErrClosed] and [ErrExpired].
package mailbox

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
)

var (
	// ErrFull is the answer of TryPut when the mailbox holds as many messages as its capacity. The
	// message was not delivered.
	ErrFull = errors.New("mailbox: full")
	// ErrClosed is the answer to every put once the mailbox is closed. The message was not and will
	// not be delivered.
	ErrClosed = errors.New("mailbox: closed")
	// ErrExpired is the answer of Put when the context ended before there was room. errors.Is also
	// finds the context's error and its cause. The message was not delivered.
	ErrExpired = errors.New("mailbox: expired while waiting for room")
)

// closed is the bit of Mailbox.puts that refuses further puts.
const closed = 1 << 62

// Mailbox is a first-in first-out queue of at most the number of messages given to [New]. Make a
// Mailbox with New; the zero Mailbox is not ready for use.
//
// Any goroutine may call Put, TryPut, Len, Quiet and Closed. The other methods belong to the owner.
type Mailbox[M any] struct {
	ch chan M
	// puts counts the puts that were delivered or are under way; the closed bit is set at the end.
	// A put adds 1 before the send on the channel, so that puts == taken means that no message is
	// in the channel or on the way there.
	puts atomic.Int64
	// taken counts the messages received. Only the owner touches taken.
	taken int64
	// line is nil but in a mailbox that NewDriven made.
	line *line[M]
}

// New returns an empty mailbox for at most capacity messages. New panics if capacity is below 1.
func New[M any](capacity int) *Mailbox[M] {
	if capacity < 1 {
		panic(fmt.Sprintf("mailbox: capacity = %d: must be at least 1", capacity))
	}
	return &Mailbox[M]{ch: make(chan M, capacity)}
}

// TryPut delivers m without waiting. The result is nil, ErrFull or ErrClosed. Any goroutine may
// call TryPut.
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

// Put delivers m, and waits for room until ctx ends. The result is nil, ErrClosed, or an error for
// which errors.Is finds ErrExpired, ctx.Err() and context.Cause(ctx). If ctx.Done is closed while
// ctx.Err is nil, as a context that package context has not made may be, the error has
// context.Canceled in place of the latter two. A ctx that has already ended does not stop a put for
// which there is room. Any goroutine may call Put.
func (b *Mailbox[M]) Put(ctx context.Context, m M) error {
	if b.puts.Add(1) >= closed {
		b.puts.Add(-1)
		return ErrClosed
	}
	if b.line != nil {
		return b.line.put(ctx, b, m)
	}
	done := ctx.Done()
	if done == nil {
		b.ch <- m // a plain send costs less than a select, above all when the send has to wait
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
		return expired(ctx)
	}
}

// expired returns the error of a put whose ctx has ended.
func expired(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		err = context.Canceled
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w: %w", ErrExpired, err, cause)
	}
	return fmt.Errorf("%w: %w", ErrExpired, err)
}

// C returns the channel to take from in a select. After each message received from C the owner must
// call Took once. The channel is never closed.
func (b *Mailbox[M]) C() <-chan M { return b.ch }

// Took tells the mailbox that the owner has received a message from C.
func (b *Mailbox[M]) Took() { b.taken++ }

// Take waits for the next message and returns that message. Take does not return while the mailbox
// stays empty, also if the mailbox is closed.
func (b *Mailbox[M]) Take() M {
	m := <-b.ch
	b.taken++
	return m
}

// TryTake returns the next message, or false if no message is in the mailbox.
func (b *Mailbox[M]) TryTake() (m M, ok bool) {
	select {
	case m = <-b.ch:
		b.taken++
		if b.line != nil {
			b.line.moveUp(b.ch)
		}
		return m, true
	default:
		return m, false
	}
}

// Len returns the number of messages in the mailbox. Any goroutine may call Len.
func (b *Mailbox[M]) Len() int { return len(b.ch) }

// Taken returns the number of messages that the owner has received.
func (b *Mailbox[M]) Taken() int64 { return b.taken }

// Quiet reports whether no message was put or is being put since Taken returned taken. Any
// goroutine may call Quiet.
func (b *Mailbox[M]) Quiet(taken int64) bool { return b.puts.Load() == taken }

// Closed reports whether the mailbox is closed. Any goroutine may call Closed.
func (b *Mailbox[M]) Closed() bool { return b.puts.Load() >= closed }

// Empty reports whether no message is in the mailbox or being put at this moment. Empty is for an
// open mailbox: after a close, Empty is false.
func (b *Mailbox[M]) Empty() bool { return b.puts.Load() == b.taken }

// CloseIfEmpty closes the mailbox if no message is in the mailbox or being put, and reports whether
// the mailbox is now closed. After true, every put returns ErrClosed and the owner has nothing left
// to take.
func (b *Mailbox[M]) CloseIfEmpty() bool {
	return b.puts.CompareAndSwap(b.taken, b.taken|closed)
}

// CloseAndDrain closes the mailbox and hands every message that was delivered, or was being put at
// that moment, to f, in order and on the owner's goroutine. When CloseAndDrain returns, every put
// returns ErrClosed and the mailbox is empty.
func (b *Mailbox[M]) CloseAndDrain(f func(M)) {
	for !b.Drain(f) {
		// A put has added 1 and is a few instructions away from the channel or from giving up.
		runtime.Gosched()
	}
}

// Drain is CloseAndDrain without waiting: Drain closes the mailbox and hands the messages that are
// in the mailbox to f. Drain returns false if a put is still on its way. The owner then calls Drain
// again, until Drain returns true.
func (b *Mailbox[M]) Drain(f func(M)) bool {
	b.puts.Or(closed)
	for {
		m, ok := b.TryTake()
		if !ok {
			return b.Drained()
		}
		f(m)
	}
}

// Drained reports whether the mailbox is closed, and no message is in the mailbox or being put.
func (b *Mailbox[M]) Drained() bool { return b.puts.Load() == b.taken|closed }
