package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// listener accepts the connections of clients.
type listener struct {
	net.Listener
	stall  atomic.Int64                           // a time.Duration
	places *places                                // each connection takes a place
	direct func(c *conn, status int, head []byte) // is called for an answer of net/http without the handler; may be nil
	closed chan struct{}
	once   sync.Once
}

func newListener(below net.Listener, most int, stall time.Duration) *listener {
	l := &listener{Listener: below, places: newPlaces(most), closed: make(chan struct{})}
	l.stall.Store(int64(stall))
	return l
}

// Accept waits for a place, and then for a connection, which takes the place until the connection
// is closed.
func (l *listener) Accept() (net.Conn, error) {
	if !l.places.take(nil, l.closed) {
		return nil, net.ErrClosed
	}
	below, err := l.Listener.Accept()
	if err != nil {
		l.places.give()
		return nil, err
	}
	if !l.places.confirm(l.closed) { // the place was taken before the number changed
		_ = below.Close()
		return nil, net.ErrClosed
	}
	return &conn{duplex: below.(duplex), listener: l, fresh: true}, nil
}

// Close also ends a wait for a place.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// duplex is a connection of which one direction can be closed alone, such as a *net.TCPConn.
type duplex interface {
	net.Conn
	CloseWrite() error
}

// conn is the connection of a client. A write fails if the client takes nothing for the time of the
// listener's stall.
type conn struct {
	duplex
	listener *listener
	once     sync.Once   // gives the place back
	broken   atomic.Bool // a read has failed: the client can read no more

	mu      sync.Mutex
	writeBy time.Time // the deadline of net/http; zero: none
	freed   bool      // stall does not bound writes

	// The goroutine that serves the connection writes the following fields, while no other
	// goroutine reads or writes.
	served bool   // the handler was called for the last request that net/http has read
	fresh  bool   // no request has been read yet
	head   []byte // the beginning of the first request, until the handler is called
}

// mostHead is the largest number of bytes that are kept of a request's beginning, for the log.
const mostHead = 1 << 10

// Read reads, and keeps the beginning of the first request.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.duplex.Read(p)
	if c.fresh && len(c.head) < mostHead {
		c.head = append(c.head, p[:min(n, mostHead-len(c.head))]...)
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.broken.Store(true)
	}
	return n, err
}

// Write writes p. Each time that the client has taken a part, the rest has the time of stall again.
func (c *conn) Write(p []byte) (n int, err error) {
	if !c.served {
		c.answered(p)
	}
	for {
		begun := n
		bounded := c.bound()
		m, err := c.duplex.Write(p[n:])
		n += m
		if err == nil || n == begun || !bounded || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// bound sets the deadline of the next write, and reports whether stall gives the deadline.
func (c *conn) bound() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.freed {
		return false
	}
	by := time.Now().Add(time.Duration(c.listener.stall.Load()))
	if !c.writeBy.IsZero() && c.writeBy.Before(by) {
		_ = c.duplex.SetWriteDeadline(c.writeBy)
		return false
	}
	_ = c.duplex.SetWriteDeadline(by) // if the connection is closed, the write fails
	return true
}

// SetWriteDeadline sets the deadline of all writes together.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeBy = t
	return c.duplex.SetWriteDeadline(t)
}

// SetDeadline is SetWriteDeadline and SetReadDeadline.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetWriteDeadline(t), c.SetReadDeadline(t))
}

// free lifts the bound of stall on writes: another protocol than HTTP may pause.
func (c *conn) free() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.freed = true
	_ = c.duplex.SetWriteDeadline(c.writeBy)
}

// serve notes that net/http has called the handler.
func (c *conn) serve() {
	if c != nil {
		c.served, c.head = true, nil
	}
}

// gone reports whether the client can read no more.
func (c *conn) gone() bool { return c != nil && c.broken.Load() }

// answered reports an answer with which net/http refuses a request without the handler.
func (c *conn) answered(p []byte) {
	const before = len("HTTP/1.1 ")
	if c.served = true; c.listener.direct == nil || len(p) < before+3 {
		return
	}
	status := 0
	for _, digit := range p[before : before+3] {
		status = 10*status + int(digit-'0')
	}
	c.listener.direct(c, status, c.head)
}

// Close closes the connection, and gives the place back.
func (c *conn) Close() error {
	err := c.duplex.Close()
	c.once.Do(c.listener.places.give)
	return err
}

type connKey struct{}

// withConn is the ConnContext of the http.Server.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, connOf(c))
}

// connOf returns the conn below c.
func connOf(c net.Conn) *conn {
	if above, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = above.NetConn()
	}
	below, _ := c.(*conn)
	return below
}

// watchConn is the ConnState of the http.Server, and runs on the goroutine that serves the
// connection.
func watchConn(c net.Conn, state http.ConnState) {
	if state != http.StateActive {
		return
	}
	below := connOf(c)
	below.served = false
	if below.fresh {
		below.fresh = false
	} else {
		below.head = nil
	}
}
