package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Why the context of a request ends for whose connection the gateway has no room. The upstream is not to blame.
var (
	errBusy      = errors.New("proxy: no connection to the upstream became free in time")
	errExhausted = errors.New("proxy: the gateway has no room for another connection")
)

// gate bounds the connections to an upstream. An http.Transport by itself forgets those that are switched to another protocol.
type gate struct {
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	places chan struct{} // one is taken by each connection
	closed chan struct{}
}

// newGate puts a gate before base.
func newGate(base *http.Transport, most int) *gate {
	g := &gate{dial: base.DialContext, places: make(chan struct{}, most), closed: make(chan struct{})}
	base.DialContext = g.DialContext
	return g
}

// DialContext is that of the http.Transport, with a wait for a place before it.
func (g *gate) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	select {
	case g.places <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-g.closed:
		return nil, errBusy
	}
	if w, ok := ctx.Value(watchKey{}).(*watch); ok {
		w.asked.Store(true)
	}
	conn, err := g.dial(ctx, network, addr)
	if err != nil {
		<-g.places
		return nil, err
	}
	return &placed{TCPConn: conn.(*net.TCPConn), gate: g}, nil
}

// close ends the waits for a place.
func (g *gate) close() { close(g.closed) }

// placed is a connection that has a place.
type placed struct {
	*net.TCPConn
	gate *gate
	once sync.Once
}

// Close gives the place back.
func (p *placed) Close() error {
	err := p.TCPConn.Close()
	p.once.Do(func() { <-p.gate.places })
	return err
}

// shortages are the errors of a system that has no room for another connection: no descriptor, no memory, or no port. The last three are
// those of Windows, and none of others.
var shortages = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL, 10024, 10055, 10049}

// exhausted reports whether err is one of the shortages. Of those a *net.DNSError has the text alone.
func exhausted(err error) bool {
	lookup, failed := errors.AsType[*net.DNSError](err)
	return slices.ContainsFunc(shortages, func(reason syscall.Errno) bool {
		return errors.Is(err, reason) || failed && strings.HasSuffix(lookup.Err, reason.Error())
	})
}
