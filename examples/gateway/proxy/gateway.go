// Package proxy makes a reverse proxy of a configuration.
//
// A request passes, in this order: the route that fits it; the route's limiter, which knows its client (an enginehttp.Handler); an
// httputil.ReverseProxy; the breaker and the retries around the route's upstream (an enginehttp.Transport); and an http.Transport with
// connections that no other route uses. A stage that the configuration leaves out is not in the way. So what one upstream does, or
// fails to do, costs the requests of other routes nothing but the processor's time.
package proxy

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// Gateway is an http.Handler that passes requests on by the routes of a configuration. Make one with [New], end it with [Gateway.Close].
type Gateway struct {
	routes []*route // in the order of the configuration
	search []*route // in the order in which they are tried
	now    *inFlight
	log    *slog.Logger
	limits *config.Timeouts
	client func(*http.Request) string // the address of a client, for the log
	seed   maphash.Seed               // of the hashes there
}

// Status is what a route has done since the start. Each request that has ended counts once in Requests, and at most once in the others.
type Status struct {
	Name        string
	Breaker     breaker.State // Closed without a breaker
	OpenFor     time.Duration // until the breaker lets a request through
	Requests    uint64        // all that have come, also those that are running
	Limited     uint64        // refused with 429 by the limiter
	Unavailable uint64        // refused with 503, the upstream not having been asked: breaker, queue, number of keys, shutdown
	Failed      uint64        // the upstream was asked and did not answer, or with 5xx, or broke off
}

// New makes a gateway of a configuration that config.Load has read. Each request is logged to log, unless that is nil.
func New(cfg *config.Config, log *slog.Logger) (*Gateway, error) {
	g := &Gateway{now: newInFlight(), log: log, limits: &cfg.Timeouts, client: enginehttp.RemoteIP(cfg.TrustedProxies), seed: maphash.MakeSeed()}
	buffers := new(buffers)
	for i := range cfg.Routes {
		r, err := newRoute(&cfg.Routes[i], cfg.TrustedProxies, buffers)
		if err != nil {
			return nil, errors.Join(err, g.Close(context.Background()))
		}
		g.routes = append(g.routes, r)
	}
	g.search = slices.Clone(g.routes)
	slices.SortStableFunc(g.search, func(a, b *route) int {
		if (a.config.Host == "") != (b.config.Host == "") {
			return len(b.config.Host) - len(a.config.Host)
		}
		return len(b.config.Path) - len(a.config.Path)
	})
	return g, nil
}

// ServeHTTP answers a request: 404 if no route fits, and 400 if it may not be passed on.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w}
	x.conn, _ = r.Context().Value(connKey{}).(*conn)
	x.conn.serve()
	g.begin(x)
	x.cut = true
	with := x.open(r, g.limits)
	defer g.end(x, r) // also if the answer breaks off, with a panic, which goes on
	g.pass(x, with)
	x.cut = false
}

// pass hands a request to the route that fits it.
func (g *Gateway) pass(x *exchange, r *http.Request) {
	path, ok := readingOf(r.URL.Path)
	if !ok || malformed(r) {
		answer(x, r, http.StatusBadRequest)
		return
	}
	route, ok := g.find(r, path)
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
		if route.limits != nil || route.addresses != nil {
			x.ending = refused // until it is admitted
		}
		route.handler.ServeHTTP(x, r)
	}
}

func (g *Gateway) begin(x *exchange) {
	g.now.begin()
	if g.log != nil {
		x.begun = time.Now()
	}
}

// end counts and logs a request that has ended, before its client can know.
func (g *Gateway) end(x *exchange, r *http.Request) {
	defer g.now.end()
	defer x.close()
	x.cause = context.Cause(&x.context)
	if x.route != nil {
		x.route.count(x)
	}
	if g.log != nil {
		g.note(x, r, time.Since(x.begun))
	}
}

// malformed reports whether r has what net/http takes from a client but sends to nobody, for which the upstream would be blamed.
func malformed(r *http.Request) bool {
	for name := range r.Trailer {
		if !config.IsToken(name) {
			return true
		}
	}
	return strings.ContainsFunc(r.Header.Get("Upgrade"), func(c rune) bool { return c < ' ' || c > '~' })
}

// find looks for the route that fits r; nil if none does. It reports false if r is for another route in the eyes of those who read its path
// as reading. A tunnel, which has no path, fits none.
func (g *Gateway) find(r *http.Request, reading string) (_ *route, ok bool) {
	if r.Method == http.MethodConnect {
		return nil, true
	}
	host := hostOf(r.Host)
	var found, read *route
	for _, route := range g.search {
		if route.config.Host != "" && route.config.Host != host {
			continue
		}
		if found == nil && below(r.URL.Path, route.config.Path) >= 0 {
			found = route
		}
		if read == nil && below(reading, route.reading) >= 0 {
			read = route
		}
	}
	if found == nil {
		return nil, true
	}
	return found, read != nil && read.config.Host == found.config.Host && read.reading == found.reading
}

// Status tells of the routes, in the order of the configuration.
func (g *Gateway) Status() []Status {
	all := make([]Status, len(g.routes))
	for i, r := range g.routes {
		all[i] = r.status()
	}
	return all
}

// Close ends the engines and the connections that are idle; call it when no request is running. The error is ctx's.
func (g *Gateway) Close(ctx context.Context) error {
	var errs []error
	for _, r := range g.routes {
		errs = append(errs, r.close(ctx))
	}
	return errors.Join(errs...)
}

// hostOf is a Host field without its port, and in the form in which a configuration has it.
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
