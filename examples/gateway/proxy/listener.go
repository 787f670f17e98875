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
	stall  time.Duration
	places chan struct{}                          // one is taken by each connection; nil: no bound
	direct func(c *conn, status int, head []byte) // is told of answers that net/http gives by itself; may be nil
	closed chan struct{}
	once   sync.Once
}

func newListener(below net.Listener, most int, stall time.Duration) *listener {
	l := &listener{Listener: below, stall: stall, closed: make(chan struct{})}
	if most > 0 {
		l.places = make(chan struct{}, most)
	}
	return l
}

// Accept waits for a place, and for the next connection, which gives the place back when it is closed.
func (l *listener) Accept() (net.Conn, error) {
	if l.places != nil {
		select {
		case l.places <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
	below, err := l.Listener.Accept()
	if err != nil {
		l.leave()
		return nil, err
	}
	return &conn{TCPConn: below.(*net.TCPConn), listener: l, fresh: true}, nil
}

func (l *listener) leave() {
	if l.places != nil {
		<-l.places
	}
}

// Close ends a wait for a place, too.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// conn is the connection of a client. A write ends with an error if the client takes nothing of it for the listener's stall.
type conn struct {
	*net.TCPConn
	listener *listener
	once     sync.Once   // gives the place back
	broken   atomic.Bool // a read has failed: the client is gone for good

	mu      sync.Mutex
	writeBy time.Time // the deadline that net/http has set; zero: none
	freed   bool      // writes may take their time

	// What follows is written by the goroutine that serves the connection, while no other one reads or writes.
	served bool   // the handler was called for the request that net/http has read last
	fresh  bool   // no request has been read yet
	head   []byte // how the first request begins, until it is served
}

// mostHead is the number of bytes of a request's beginning that are kept for the log.
const mostHead = 1 << 10

// Read keeps the beginning of the first request.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if c.fresh && len(c.head) < mostHead {
		c.head = append(c.head, p[:min(n, mostHead-len(c.head))]...)
	}
	if err != nil && err != io.EOF && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.broken.Store(true)
	}
	return n, err
}

// Write writes p as long as the client takes some of it now and then.
func (c *conn) Write(p []byte) (n int, err error) {
	if !c.served {
		c.answered(p)
	}
	for {
		begun := n
		bounded := c.bound()
		m, err := c.TCPConn.Write(p[n:])
		n += m
		if err == nil || n == begun || !bounded || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// bound sets the deadline of the next write, and reports whether stall is what bounds it.
func (c *conn) bound() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.freed {
		return false
	}
	by := time.Now().Add(c.listener.stall)
	if !c.writeBy.IsZero() && c.writeBy.Before(by) {
		_ = c.TCPConn.SetWriteDeadline(c.writeBy)
		return false
	}
	_ = c.TCPConn.SetWriteDeadline(by) // a connection that is closed fails the write
	return true
}

// SetWriteDeadline sets the deadline for the sum of all writes.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeBy = t
	return c.TCPConn.SetWriteDeadline(t)
}

// SetDeadline is SetWriteDeadline, and the same for reads.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetWriteDeadline(t), c.SetReadDeadline(t))
}

// free says that writes may take their time from now on, as those of other protocols than HTTP may.
func (c *conn) free() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.freed = true
	_ = c.TCPConn.SetWriteDeadline(c.writeBy)
}

// serve says that the handler has been called.
func (c *conn) serve() {
	if c != nil {
		c.served, c.head = true, nil
	}
}

// gone reports whether the client is known to read no more.
func (c *conn) gone() bool { return c != nil && c.broken.Load() }

// answered tells of an answer that net/http gives to a request that it does not hand to the handler.
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

// Close closes the connection and gives its place back.
func (c *conn) Close() error {
	err := c.TCPConn.Close()
	c.once.Do(c.listener.leave)
	return err
}

type connKey struct{}

// withConn is the ConnContext of the http.Server.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, connOf(c))
}

// connOf is the conn below c.
func connOf(c net.Conn) *conn {
	if above, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = above.NetConn()
	}
	below, _ := c.(*conn)
	return below
}

// watchConn is the ConnState of the http.Server. It runs on the goroutine that serves the connection.
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
