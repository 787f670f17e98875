package enginenet

import (
	"context"
	"net"
	"os"
	"sync"
	"time"
)

// deadline is the deadline of one direction of a connection, and its end by Close, as the context of the waits in that direction, of
// which there is one at a time. It starts no timer before Done is called, so that SetDeadline stays cheap and a call that need not wait
// allocates nothing.
//
// It tells nobody when the deadline is: an engine refuses at once a wait that would outlive its context's, but this one may
// be moved while it is waited for.
type deadline struct {
	mu     sync.Mutex // held for a few instructions only
	at     time.Time  // zero: none
	closed bool
	timer  *time.Timer   // nil before the first wait; runs only during one
	done   chan struct{} // of the wait under way, if it asked for one
	err    error         // why the wait under way ended: it stays ended, even if the deadline moves before it has heard
}

var _ context.Context = (*deadline)(nil)

// Deadline reports none.
func (d *deadline) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value is nil.
func (d *deadline) Value(any) any { return nil }

// Err is nil, os.ErrDeadlineExceeded or net.ErrClosed.
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.check()
}

// Done is closed when the deadline comes, or is moved into the past, and when the connection is closed.
func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.done = make(chan struct{})
		if d.err != nil {
			close(d.done)
		} else {
			d.arm()
		}
	}
	return d.done
}

// check ends the wait under way if there is a reason to, and returns why it ended. d.mu is held, here and below.
func (d *deadline) check() error {
	if d.err != nil {
		return d.err
	}
	switch {
	case d.closed:
		d.err = net.ErrClosed
	case !d.at.IsZero() && !time.Now().Before(d.at):
		d.err = os.ErrDeadlineExceeded
	default:
		return nil
	}
	if d.done != nil {
		close(d.done)
	}
	return d.err
}

// arm lets the wait under way end when the deadline comes.
func (d *deadline) arm() {
	if d.check() != nil || d.at.IsZero() {
		return
	}
	left := time.Until(d.at)
	if d.timer == nil {
		d.timer = time.AfterFunc(left, d.expire)
	} else {
		d.timer.Reset(left)
	}
}

// expire is called by the timer. It may come after the deadline has been moved, or when the wall clock that the deadline was given in has
// been set back.
func (d *deadline) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done != nil {
		d.arm()
	}
}

// set moves the deadline. It takes effect at once on a wait that is under way.
func (d *deadline) set(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = at
	if d.done != nil {
		d.arm() // a timer that runs for the deadline before this one finds nothing to do
	}
}

// close ends the wait that is under way and all that follow.
func (d *deadline) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.done != nil {
		_ = d.check() // the wait hears it through done
	}
}

// end says that the wait is over, so that the next one may begin, and reports whether there was one.
func (d *deadline) end() (waited bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	waited = d.done != nil
	if waited && d.timer != nil {
		d.timer.Stop()
	}
	d.done, d.err = nil, nil
	return waited
}
