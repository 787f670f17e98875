package proxy

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// dialFunc is a DialContext.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// outlet is the connections of a route to its upstream.
type outlet struct {
	base *http.Transport
	gate *gate       // nil without a bound on connections
	idle atomic.Bool // whether connections stay open between two requests: not once the table in force has another outlet
}

// newOutlet makes an outlet that dials with dial, or with a net.Dialer if dial is nil. An outlet
// for the upstream of before counts the connections of before as its own.
func newOutlet(cfg *config.Route, dial dialFunc, before *outlet) *outlet {
	o := &outlet{base: newTransport(cfg, dial)}
	o.idle.Store(true)
	if cfg.MaxConnections > 0 {
		p := newPlaces(cfg.MaxConnections)
		if before != nil && before.gate != nil {
			p = before.gate.places
		}
		o.gate = newGate(o.base, p)
	}
	return o
}

// wane closes the connections between two requests from now on: idle connections at once, and
// others after the request.
func (o *outlet) wane() {
	o.idle.Store(false)
	o.base.CloseIdleConnections()
}

// rest is called at the end of each request.
func (o *outlet) rest() {
	if !o.idle.Load() {
		o.base.CloseIdleConnections() // also a connection that becomes idle later, until a request asks for one
	}
}

// Close closes the idle connections, and ends all waits for a connection.
func (o *outlet) Close(context.Context) error {
	if o.gate != nil {
		o.gate.close()
	}
	o.wane()
	return nil
}
