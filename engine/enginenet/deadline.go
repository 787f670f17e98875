package enginenet

import (
	"context"
	"net"
	"os"
	"sync"
	"time"
)

// deadline is the context of the waits in one direction of a connection, at most one wait at a
// time. The context ends at the deadline of that direction, and with Close. deadline makes a
// channel and starts a timer only when Done is called, so that SetDeadline stays cheap and a call
// that need not wait allocates nothing.
//
// Method Deadline does not tell the deadline: an engine refuses at once a wait that would outlive
// the deadline of its context, but the deadline of a connection may be moved during the wait.
type deadline struct {
	mu     sync.Mutex // held for a few instructions only
	at     time.Time  // zero: none
	closed bool
	timer  *time.Timer   // nil before the first wait; runs only during one
	done   chan struct{} // of the present wait; nil before Done is called
	since  time.Time     // when done was made
	err    error         // end of the present wait; stays, even if the deadline moves later
}

var _ context.Context = (*deadline)(nil)

// Deadline reports no deadline.
func (d *deadline) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value returns nil.
func (d *deadline) Value(any) any { return nil }

// Err returns nil, os.ErrDeadlineExceeded or net.ErrClosed.
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.check()
}

// Done returns a channel that is closed when the deadline comes, when the deadline is moved into
// the past, and when the connection is closed.
func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.done, d.since = make(chan struct{}), time.Now()
		if d.err != nil {
			close(d.done)
		} else {
			d.arm()
		}
	}
	return d.done
}

// check ends the present wait if there is a reason, and returns the reason. The caller holds d.mu.
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

// arm lets the present wait end when the deadline comes. The caller holds d.mu.
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

// expire is the function of the timer. The deadline may have been moved before expire runs, or the
// wall clock of the deadline may have been set back; so expire looks again.
func (d *deadline) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done != nil {
		d.arm()
	}
}

// set moves the deadline, also for the present wait, at once.
func (d *deadline) set(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = at
	if d.done != nil {
		d.arm() // a timer of the previous deadline finds nothing to do
	}
}

// close ends the present wait and all later waits.
func (d *deadline) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.done != nil {
		_ = d.check() // closes done
	}
}

// end ends the present wait, so that the next wait may begin, and reports whether Done was called,
// and for how long the call has waited since.
func (d *deadline) end() (held time.Duration, waited bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if waited = d.done != nil; waited {
		held = time.Since(d.since)
		if d.timer != nil {
			d.timer.Stop()
		}
	}
	d.done, d.err = nil, nil
	return held, waited
}
