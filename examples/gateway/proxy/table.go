package proxy

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// table is the routes of a configuration. A table does not change. Each request uses one table from
// its beginning to its end.
type table struct {
	config *config.Config
	routes []*route                   // in the order of the configuration
	search []*route                   // in the order of the search
	client func(*http.Request) string // returns the address of a client, for the log
	exempt exemptions

	parts   []part         // of the routes
	changes []func() error // of parts that the table before has, too; to be made when the table comes into force
	running atomic.Int64   // requests that use the table
	ended   sync.Once
}

// newTable makes the table of cfg. A part that the table before has, too, stays that part.
func (g *Gateway) newTable(cfg *config.Config, before *table) (*table, error) {
	t := &table{config: cfg, client: enginehttp.RemoteIP(cfg.TrustedProxies), exempt: newExemptions(&cfg.Exempt)}
	for i := range cfg.Routes {
		r, err := g.newRoute(t, &cfg.Routes[i], before.named(cfg.Routes[i].Name))
		if err != nil {
			return nil, errors.Join(err, g.parts.release(t.parts))
		}
		t.routes = append(t.routes, r)
	}
	t.search = slices.Clone(t.routes)
	slices.SortStableFunc(t.search, func(a, b *route) int {
		if (a.config.Host == "") != (b.config.Host == "") {
			return len(b.config.Host) - len(a.config.Host)
		}
		return len(b.config.Path) - len(a.config.Path)
	})
	return t, nil
}

// named returns the route of this name. If t is nil or has no such route, named returns a route
// without parts.
func (t *table) named(name string) *route {
	if t != nil {
		for _, r := range t.routes {
			if r.config.Name == name {
				return r
			}
		}
	}
	return &route{config: new(config.Route), counts: new(counts)}
}

// use makes a part one of the table.
func (g *Gateway) use(t *table, one part) {
	t.parts = append(t.parts, one)
	g.parts.hold(one)
}

// engine makes an engine of a route with cfg; or has before, if not nil, follow cfg when the table
// comes into force, and returns before. shown is a key as the log shows keys.
func (g *Gateway) engine(t *table, route string, cfg engine.Config, shown func(string) string, before *engine.Engine) (*engine.Engine, error) {
	cfg.Latency = t.config.Admin != "" // else nobody asks
	if before != nil {
		g.use(t, before)
		t.changes = append(t.changes, func() error { return before.Reconfigure(cfg) })
		return before, nil
	}
	e, err := engine.New(cfg)
	if err == nil {
		g.use(t, e)
		g.journal.follow(route, e, shown, g.log)
	}
	return e, err
}

// find returns the route that fits r; nil if no route does. ok is false if another route fits the
// path as some servers read it. A tunnel has no path, and fits no route.
func (t *table) find(r *http.Request, reading string) (_ *route, ok bool) {
	if r.Method == http.MethodConnect {
		return nil, true
	}
	host := hostOf(r.Host)
	var found, read *route
	for _, route := range t.search {
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
