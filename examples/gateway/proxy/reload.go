package proxy

import (
	"errors"
	"time"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

var errClosed = errors.New("proxy: the gateway is closed")

// Reload puts cfg into force, which config.Config.Next has read, while requests run. Each request
// is served by the routes with which the request has begun. Any goroutine may call Reload.
//
// A route of cfg continues the route of the same name: its limits keep the tokens of all clients,
// and its breaker keeps its state, if the upstream is the same server. Limits by another key,
// another upstream and a route with a new name begin anew. Engines and connections that cfg has no
// use for are closed when the requests that use these have ended, or after cfg.Shutdown.
func (g *Gateway) Reload(cfg *config.Config) error {
	g.reloads.Lock()
	defer g.reloads.Unlock()
	if g.closed {
		return errClosed
	}
	before := g.table.Load()
	t, err := g.newTable(cfg, before)
	if err != nil {
		return err
	}
	for _, change := range t.changes {
		if err := change(); err != nil { // never: config has checked cfg, and the engines are not closed
			return errors.Join(err, g.parts.release(t.parts))
		}
	}
	g.table.Store(t)
	for _, r := range before.routes {
		if !t.has(r.outlet) {
			r.outlet.wane()
		}
	}
	if before.running.Load() == 0 {
		g.retire(before)
	} else {
		time.AfterFunc(time.Duration(cfg.Shutdown), func() { g.retire(before) }) // does nothing if the last request was first
	}
	return nil
}

func (t *table) has(o *outlet) bool {
	for _, r := range t.routes {
		if r.outlet == o {
			return true
		}
	}
	return false
}

// enter begins a request, and returns the table in force.
func (g *Gateway) enter() *table {
	for {
		t := g.table.Load()
		t.running.Add(1)
		if g.table.Load() == t { // so a Reload that comes now finds the request running
			return t
		}
		g.leave(t)
	}
}

// leave ends a request that uses t.
func (g *Gateway) leave(t *table) {
	if t.running.Add(-1) == 0 && g.table.Load() != t {
		g.retire(t)
	}
}

// retire releases the parts of a table that is no longer in force.
func (g *Gateway) retire(t *table) {
	t.ended.Do(func() { _ = g.parts.release(t.parts) })
}
