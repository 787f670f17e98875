package mailbox

import (
	"context"
	"slices"
)

// Driver takes the place of the scheduler for a mailbox that [NewDriven] made.
type Driver interface {
	// Wait returns when ready reports true. The driver may call ready at any time, and as often as
	// the driver likes: ready has no effect.
	Wait(ready func() bool)
	// Between is called between the two steps of a put: the put is counted, and the message is not
	// in the mailbox yet.
	Between()
}

// NewDriven is [New] for a simulation, in which one goroutine at a time runs, or one coroutine: a
// put that has no room waits in d instead of blocking. The owner takes messages by TryTake and
// Drain alone.
func NewDriven[M any](capacity int, d Driver) *Mailbox[M] {
	b := New[M](capacity)
	b.line = &line[M]{driver: d}
	return b
}

// line has the puts that wait for room in a driven mailbox, in their order, as the runtime keeps
// the senders that a channel blocks. While a put waits, the channel is full.
type line[M any] struct {
	driver Driver
	first  []*waiting[M]
}

// waiting is a put that waits for room.
type waiting[M any] struct {
	m         M
	delivered bool
}

// put is the part of Put after the count.
func (l *line[M]) put(ctx context.Context, b *Mailbox[M], m M) error {
	l.driver.Between()
	select {
	case b.ch <- m:
		return nil
	default:
	}
	w := &waiting[M]{m: m}
	l.first = append(l.first, w)
	done := ctx.Done()
	l.driver.Wait(func() bool {
		if w.delivered {
			return true
		}
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	if w.delivered {
		return nil
	}
	l.first = slices.DeleteFunc(l.first, func(x *waiting[M]) bool { return x == w })
	b.puts.Add(-1)
	return expired(ctx)
}

// moveUp delivers the message of the first put that waits. There is room for the message.
func (l *line[M]) moveUp(ch chan<- M) {
	if len(l.first) == 0 {
		return
	}
	w := l.first[0]
	l.first = slices.Delete(l.first, 0, 1)
	ch <- w.m
	w.delivered = true
}
