package pipes

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is the largest number of bytes that were written to a connection and not read.
const window = 64 << 10

// conn is one end of a connection.
type conn struct {
	link          *link
	in, out       *stream
	local, remote address

	// The fields below are guarded by link.
	read, write deadline
	abrupt      bool // Close is a reset
	closed      bool
}

// link is common to both ends of a connection, and guards the fields of ends and streams. A wait
// for a sync.Cond lets the time of a bubble pass.
type link struct {
	sync.Mutex
	news sync.Cond // of any change for which a Read or a Write may wait
}

// stream is one direction of a connection.
type stream struct {
	bytes  []byte // were written and not read
	ended  bool   // no more bytes come
	reset  bool   // after bytes come ECONNRESET and not io.EOF
	unread bool   // the reader has left
}

// connect returns the two ends of a connection.
func connect(dialer, listener address) (near, far *conn) {
	l := new(link)
	l.news.L = l
	there, back := new(stream), new(stream)
	return &conn{link: l, in: back, out: there, local: dialer, remote: listener},
		&conn{link: l, in: there, out: back, local: listener, remote: dialer}
}

// Read waits until p has at least one byte, until the stream ends, or until the deadline.
func (c *conn) Read(p []byte) (n int, err error) {
	c.link.Lock()
	defer c.link.Unlock()
	for {
		switch in := c.in; {
		case c.closed:
			return 0, c.failed("read", net.ErrClosed)
		case c.read.passed:
			return 0, c.failed("read", os.ErrDeadlineExceeded)
		case len(p) == 0:
			return 0, nil
		case len(in.bytes) > 0:
			n = copy(p, in.bytes)
			in.bytes = in.bytes[n:]
			c.link.news.Broadcast()
			return n, nil
		case in.reset:
			return 0, c.failed("read", syscall.ECONNRESET)
		case in.ended:
			return 0, io.EOF
		}
		c.link.news.Wait()
	}
}

// Write waits until the window has room for the rest of p, until the reader leaves, or until the
// deadline. The bytes of concurrent writes may be mixed.
func (c *conn) Write(p []byte) (n int, err error) {
	c.link.Lock()
	defer c.link.Unlock()
	for {
		if err := c.writable(); err != nil {
			return n, c.failed("write", err)
		}
		part := p[n:min(len(p), n+window-len(c.out.bytes))]
		if len(part) > 0 {
			c.out.bytes = append(c.out.bytes, part...)
			c.link.news.Broadcast()
		}
		if n += len(part); n == len(p) {
			return n, nil
		}
		c.link.news.Wait()
	}
}

// writable returns the error of a write that must not begin or go on.
func (c *conn) writable() error {
	switch {
	case c.closed:
		return net.ErrClosed
	case c.write.passed:
		return os.ErrDeadlineExceeded
	case c.out.ended, c.out.unread:
		return syscall.EPIPE
	default:
		return nil
	}
}

// CloseWrite ends the stream to the other end, and leaves the other direction open.
func (c *conn) CloseWrite() error {
	c.link.Lock()
	defer c.link.Unlock()
	if c.closed {
		return c.failed("close", net.ErrClosed)
	}
	c.out.ended = true
	c.link.news.Broadcast()
	return nil
}

// SetLinger makes Close a reset if sec is zero, as for a *net.TCPConn. Close never waits.
func (c *conn) SetLinger(sec int) error {
	c.link.Lock()
	defer c.link.Unlock()
	c.abrupt = sec == 0
	return nil
}

// Close closes both directions. If bytes have come that were not read, Close is a reset, as in TCP.
func (c *conn) Close() error {
	c.link.Lock()
	defer c.link.Unlock()
	if c.closed {
		return c.failed("close", net.ErrClosed)
	}
	c.closed = true
	c.read.stop()
	c.write.stop()
	c.out.ended, c.out.reset = true, c.abrupt || len(c.in.bytes) > 0
	c.in.bytes, c.in.unread = nil, true
	c.link.news.Broadcast()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}

func (c *conn) SetReadDeadline(t time.Time) error  { return c.set(&c.read, t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.set(&c.write, t) }

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) set(d *deadline, t time.Time) error {
	c.link.Lock()
	defer c.link.Unlock()
	if c.closed {
		return c.failed("set", net.ErrClosed)
	}
	d.set(c.link, t)
	return nil
}

// deadline is the time at which the reads or the writes of one end fail.
type deadline struct {
	passed bool
	timer  *time.Timer // nil if passed, and without a deadline
}

// set puts the deadline off to t, or takes the deadline away if t is zero. The caller holds l.
func (d *deadline) set(l *link, t time.Time) {
	d.stop()
	if d.passed = !t.IsZero() && !t.After(time.Now()); d.passed {
		l.news.Broadcast()
	}
	if d.passed || t.IsZero() {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(time.Until(t), func() { // stopped by stop
		l.Lock()
		defer l.Unlock()
		if d.timer == timer {
			d.passed = true
			l.news.Broadcast()
		}
	})
	d.timer = timer
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
