package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// longestForce is the longest time of engine.Engine.Force but for ever.
const longestForce = time.Duration(1 << 61)

// forceReport is the JSON of a key that was forced.
type forceReport struct {
	Route  string     `json:"route"`
	Engine string     `json:"engine"`
	Key    *keyReport `json:"key"`
}

// force forces the breaker of a key open or closed for a time: engine=NAME&key=KEY&state=open&for=30s,
// with route=NAME if several routes have an engine of that name. for=0 ends a forced state. The
// answer is the state of the key.
func (s *Server) force(w http.ResponseWriter, r *http.Request) {
	if !s.mayForce {
		http.Error(w, `forcing is off; the file of the gateway has no "admin_force": true`, http.StatusForbidden)
		return
	}
	query, err := queryOf(r, "route", "engine", "key", "state", "for")
	var to breaker.State
	var d time.Duration
	if err == nil {
		to, d, err = wishIn(query)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	g, err := s.guard(query)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	key, known, ok := find(g, query.Get("key"))
	switch {
	case !ok:
		http.Error(w, fmt.Sprintf("key: the engine %s of route %s has no keys of that kind", g.Engine.Name(), g.Route), http.StatusNotFound)
	case !known && g.Hidden && isHash(query.Get("key")): // the hash of another start, perhaps, and no value
		http.Error(w, "key: neither a key that the engine knows, nor the hash of one", http.StatusNotFound)
	default:
		if err := g.Engine.Force(key, to, d); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		answerJSON(w, forceReport{g.Route, g.Engine.Name(), stateOf(g, key)})
	}
}

// wishIn returns the state that a query asks for, and its time. A query that ends a forced state
// need not name a state.
func wishIn(query url.Values) (to breaker.State, d time.Duration, err error) {
	for _, name := range []string{"engine", "key", "for"} {
		if query.Get(name) == "" {
			return 0, 0, errors.New(name + `: missing, as in "engine=upstream&key=127.0.0.1:9000&state=open&for=30s"`)
		}
	}
	d, err = time.ParseDuration(query.Get("for"))
	if err != nil || d < 0 || d > longestForce {
		return 0, 0, fmt.Errorf(`for = %q: must be a time such as "30s" or "10m", at most 2^61 ns (73 years); 0 ends a forced state`, query.Get("for"))
	}
	switch state := query.Get("state"); {
	case state == "open":
		return breaker.Open, d, nil
	case state == "closed", d == 0 && !query.Has("state"):
		return breaker.Closed, d, nil
	default:
		return 0, 0, fmt.Errorf("state = %q: must be open or closed", state)
	}
}

// guard returns the engine that a query names.
func (s *Server) guard(query url.Values) (*proxy.Guard, error) {
	engine, route := query.Get("engine"), query.Get("route")
	var found *proxy.Guard
	var names []string
	for _, g := range s.gateway.Guards() {
		switch {
		case g.Key == nil: // has connections for keys
		case query.Has("route") && g.Route != route:
		case g.Engine.Name() != engine:
			names = append(names, g.Route+"/"+g.Engine.Name())
		case found != nil:
			return nil, fmt.Errorf("engine = %q: several routes have such an engine; name the route, as in \"route=%s\"", engine, found.Route)
		default:
			found = &g
		}
	}
	switch {
	case found != nil:
		return found, nil
	case len(names) == 0:
		return nil, fmt.Errorf("route = %q: no such route with a limiter, a breaker or retries", route)
	default:
		return nil, fmt.Errorf("engine = %q: no such engine; there are %s", engine, strings.Join(names, ", "))
	}
}

// isHash reports whether text has the form of a hash.
func isHash(text string) bool {
	return len(text) == hashLength && strings.Trim(text, "0123456789abcdef") == ""
}
