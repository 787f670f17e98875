// Package proxy makes a reverse proxy of a configuration, which may change while requests run.
//
// A request passes these stages in order: the route that fits; an httputil.ReverseProxy; the guards
// of the route, an enginehttp.Transport that asks the limiter of the client's address, the limiter
// of the client, and the breaker of the upstream together, and tries again; a time limit for each
// attempt; and an http.Transport of the route's own. A stage that the configuration leaves out is
// not in the way. So an upstream that fails costs the requests of other routes nothing but time of
// the processor, and costs no client a token.
package proxy

import (
	"context"
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// Gateway is an http.Handler that passes requests on by the routes of a configuration. Make a
// Gateway with [New], change its configuration with [Gateway.Reload], and end it with
// [Gateway.Close].
type Gateway struct {
	table   atomic.Pointer[table] // the table in force
	parts   parts                 // of all tables
	now     *inFlight
	log     *slog.Logger
	dial    dialFunc // nil: a net.Dialer
	buffers buffers
	seed    maphash.Seed // of the hashes in the log
	journal journal      // of the events of all engines

	reloads sync.Mutex // for one Reload at a time
	closed  bool
}

// Status is the count of a route since the start, or since the reload that brought the route. Each
// request that has ended counts once in Requests, and at most once in Limited, Unavailable and
// Failed.
type Status struct {
	Name        string
	Breaker     breaker.State // Closed without a breaker
	OpenFor     time.Duration // until the breaker lets a request through
	Requests    uint64        // requests that have come, also those that are running
	Limited     uint64        // refused with 429 by the limiter
	Unavailable uint64        // refused with 503: breaker, queue, number of keys, shutdown, connections or descriptors used up
	Shadow      uint64        // let through, although a limit on trial would have refused; with two such limits a request may count twice
	Failed      uint64        // the upstream did not answer, broke off, or answered with 5xx other than 501 and 505
}

// New makes a Gateway of a configuration that config.Load has read. The Gateway logs each request
// to log, unless log is nil.
func New(cfg *config.Config, log *slog.Logger) (*Gateway, error) { return newGateway(cfg, log, nil) }

// newGateway is New with the function that dials upstreams; nil: a net.Dialer.
func newGateway(cfg *config.Config, log *slog.Logger, dial dialFunc) (*Gateway, error) {
	g := &Gateway{now: newInFlight(), log: log, dial: dial, seed: maphash.MakeSeed()}
	t, err := g.newTable(cfg, nil)
	if err != nil {
		g.journal.close()
		return nil, err
	}
	g.table.Store(t)
	return g, nil
}

// ServeHTTP answers a request: with 404 if no route fits, and with 400 if the request may not be
// passed on.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w}
	x.below = exchangeContext{r.Context(), x}
	x.conn, _ = r.Context().Value(connKey{}).(*conn)
	x.conn.serve()
	g.begin(x)
	x.cut = true
	defer g.end(x, r) // also after a panic, with which an answer breaks off
	if r.ContentLength == 0 {
		g.pass(x, r)
	} else { // whatever the answer, the client may still be sending
		g.pass(x, x.open(r, &x.table.config.Timeouts))
	}
	x.cut = false
}

// pass hands a request to the route that fits. A request that the gateway answers itself need not
// be open.
func (g *Gateway) pass(x *exchange, r *http.Request) {
	path, ok := readingOf(r.URL.Path)
	if !ok || malformed(r) {
		answer(x, r, http.StatusBadRequest)
		return
	}
	route, ok := x.table.find(r, path)
	switch {
	case !ok:
		answer(x, r, http.StatusBadRequest)
	case route == nil:
		answer(x, r, http.StatusNotFound)
	case !route.keyed(r):
		answer(x, r, http.StatusBadRequest)
	default:
		x.route = route
		route.requests.Add(1)
		if x.keys = route.keysOf(r, path); x.keys != nil {
			if err := x.keys.all.Check(&x.below); err != nil { // before work is spent on the request
				x.fail(r, err)
				return
			}
		}
		if x.context == nil {
			r = x.open(r, &x.table.config.Timeouts)
		}
		route.handler.ServeHTTP(x, r)
	}
}

func (g *Gateway) begin(x *exchange) {
	g.now.begin()
	x.table = g.enter()
	if g.log != nil {
		x.begun = time.Now()
	}
}

// end counts and logs a request that has ended, before the client can notice the end.
func (g *Gateway) end(x *exchange, r *http.Request) {
	defer g.now.end()
	defer g.leave(x.table)
	defer x.close()
	if x.context != nil {
		x.cause = context.Cause(x.context)
	}
	if x.route != nil {
		x.route.count(x)
		x.route.outlet.rest()
	}
	if g.log != nil {
		g.note(x, r, time.Since(x.begun))
	}
}

// pathless reports whether a target has neither a path nor a host, as "http:foo" and
// "http:http://host/path" have. What follows the scheme is in Opaque, which net/http sends in place
// of the path, and which no route and no check of paths sees.
func pathless(u *url.URL) bool {
	return u.Opaque != "" || u.Path == "" && u.Host == ""
}

// malformed reports whether net/http takes r from a client, but would refuse to send r to an
// upstream.
func malformed(r *http.Request) bool {
	if pathless(r.URL) {
		return true
	}
	for name := range r.Trailer {
		if !config.IsToken(name) {
			return true
		}
	}
	return strings.ContainsFunc(r.Header.Get("Upgrade"), func(c rune) bool { return c < ' ' || c > '~' })
}

// Status returns the Status of each route, in the order of the configuration in force.
func (g *Gateway) Status() []Status {
	routes := g.table.Load().routes
	all := make([]Status, len(routes))
	for i, r := range routes {
		all[i] = r.status()
	}
	return all
}

// Close closes the engines and the idle connections. Call Close when no request is running. The
// error is that of ctx.
func (g *Gateway) Close(ctx context.Context) error {
	g.reloads.Lock()
	defer g.reloads.Unlock()
	g.closed = true
	err := g.parts.close(ctx)
	g.journal.close() // an engine ends its events also if ctx ends before the engine does
	return err
}

// hostOf returns a Host field without the port, in the spelling of a configuration.
func hostOf(s string) string {
	if end := strings.IndexByte(s, ']'); strings.HasPrefix(s, "[") && end > 0 {
		if addr, err := netip.ParseAddr(s[1:end]); err == nil {
			return addr.WithZone("").String()
		}
		return s[1:end]
	}
	if colon := strings.IndexByte(s, ':'); colon >= 0 {
		s = s[:colon]
	}
	return strings.ToLower(strings.TrimRight(s, "."))
}
