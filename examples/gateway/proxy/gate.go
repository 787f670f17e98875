package proxy

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// The causes with which the context of a request ends if the gateway has no room for another
// connection. The upstream is not to blame.
var (
	errBusy      = errors.New("proxy: no connection to the upstream became free in time")
	errExhausted = errors.New("proxy: the gateway has no room for another connection")
)

// gate bounds the connections to an upstream. An http.Transport alone does not count a connection
// that was switched to another protocol.
type gate struct {
	dial   dialFunc
	places *places // each connection takes a place; several gates may have the same places
	closed chan struct{}
	once   sync.Once
}

// newGate puts a gate before base.
func newGate(base *http.Transport, places *places) *gate {
	g := &gate{dial: base.DialContext, places: places, closed: make(chan struct{})}
	base.DialContext = g.DialContext
	return g
}

// DialContext waits for a place, and dials.
func (g *gate) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if !g.places.take(ctx.Done(), g.closed) {
		return nil, cmp.Or(context.Cause(ctx), errBusy)
	}
	if w, ok := ctx.Value(watchKey{}).(*watch); ok {
		w.ask()
	}
	conn, err := g.dial(ctx, network, addr)
	if err != nil {
		g.places.give()
		return nil, err
	}
	return &placed{duplex: conn.(duplex), gate: g}, nil
}

// close ends all waits for a place.
func (g *gate) close() { g.once.Do(func() { close(g.closed) }) }

// placed is a connection with a place.
type placed struct {
	duplex
	gate *gate
	once sync.Once
}

// Close closes the connection, and gives the place back.
func (p *placed) Close() error {
	err := p.duplex.Close()
	p.once.Do(p.gate.places.give)
	return err
}

// shortages are the errors of a system without room for another connection: no descriptor, no
// memory, no port. The last three are errors of Windows.
var shortages = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL, 10024, 10055, 10049}

// exhausted reports whether err holds one of the shortages. A *net.DNSError holds only the text.
func exhausted(err error) bool {
	lookup, failed := errors.AsType[*net.DNSError](err)
	return slices.ContainsFunc(shortages, func(reason syscall.Errno) bool {
		return errors.Is(err, reason) || failed && strings.HasSuffix(lookup.Err, reason.Error())
	})
}
