// Package pipes is a network in memory, on which a server and clients work inside a
// testing/synctest bubble: time passes only while all goroutines wait, and no machine is too busy
// for a test.
//
// The connections resemble connections of TCP. Up to 64 KiB wait for each reader, a deadline
// bounds reads and writes, one direction can be closed alone (CloseWrite), and a close is a reset
// if bytes were not read, or after SetLinger(0).
package pipes

import (
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// Network connects dialers with listeners. The zero Network has no listeners. Any goroutine may use
// a Network.
type Network struct {
	mu        sync.Mutex
	listeners []*listener // by the last number of the address, less one
}

// Listen returns a listener at a new address.
func (n *Network) Listen() (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners = append(n.listeners, l)
	l.address = address(fmt.Sprintf("192.0.2.%d:80", len(n.listeners)))
	return l, nil
}

// DialContext connects to the listener at an address; the network's name is ignored. DialContext
// waits until the listener accepts, and fails with ECONNREFUSED if the listener is closed or there
// is no listener.
func (n *Network) DialContext(ctx context.Context, _, at string) (net.Conn, error) {
	l := n.find(at)
	if l == nil {
		return nil, refused(at)
	}
	client, server := connect(dialers, l.address)
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, refused(at)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *Network) find(at string) *listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.listeners {
		if l.address.String() == at {
			return l
		}
	}
	return nil
}

func refused(at string) error {
	return &net.OpError{Op: "dial", Net: "pipe", Addr: address(at), Err: syscall.ECONNREFUSED}
}

// listener hands the connections of dialers to Accept.
type listener struct {
	address address
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "accept", Net: "pipe", Addr: l.address, Err: net.ErrClosed}
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return l.address }

// address is the place of a listener, or dialers.
type address string

// dialers is the address of all dialers.
const dialers address = "192.0.2.0:80"

func (address) Network() string  { return "pipe" }
func (a address) String() string { return string(a) }
