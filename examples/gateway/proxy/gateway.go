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
	g := &Gateway{now: newInFlight(), log: log, client: enginehttp.RemoteIP(cfg.TrustedProxies), seed: maphash.MakeSeed()}
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
	g.begin(x)
	defer g.end(x, r) // also if the answer breaks off, with a panic, which goes on
	switch {
	case malformed(r):
		answer(x, r, http.StatusBadRequest)
		return
	case !g.find(x, r):
		answer(x, r, http.StatusNotFound)
		return
	}
	x.cut = true
	if r.ContentLength == 0 {
		x.route.handler.ServeHTTP(x, r)
	} else {
		with, done := withUpload(x, r)
		defer done()
		x.route.handler.ServeHTTP(x, with)
	}
	x.cut = false
}

func (g *Gateway) begin(x *exchange) {
	g.now.begin()
	if g.log != nil {
		x.begun = time.Now()
	}
}

// end counts and logs a request that has ended.
func (g *Gateway) end(x *exchange, r *http.Request) {
	defer g.now.end()
	if x.route != nil {
		x.route.count(x, r)
	}
	if g.log != nil {
		g.note(x, r, time.Since(x.begun))
	}
}

// malformed reports whether r may not be passed on: its path has a segment that is "." or "..", which an upstream might take for the path of
// another route; or it has what net/http takes from a client but sends to nobody, for which the upstream would be blamed.
func malformed(r *http.Request) bool {
	for name := range r.Trailer {
		if !config.IsToken(name) {
			return true
		}
	}
	return hasDots(r.URL.Path) || strings.ContainsFunc(r.Header.Get("Upgrade"), func(c rune) bool { return c < ' ' || c > '~' })
}

// find looks for the route that fits r, and has it count r. A tunnel, which has no path, fits none.
func (g *Gateway) find(x *exchange, r *http.Request) bool {
	if r.Method == http.MethodConnect {
		return false
	}
	host := hostOf(r.Host)
	for _, route := range g.search {
		if (route.config.Host == "" || route.config.Host == host) && below(r.URL.Path, route.config.Path) >= 0 {
			x.route = route
			route.requests.Add(1)
			if route.limits != nil {
				x.ending = refused // until it is admitted
			}
			return true
		}
	}
	return false
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
	return strings.ToLower(strings.TrimSuffix(s, "."))
}
