package proxy

import (
	"errors"
	"hash/maphash"
	"log"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// route passes on the requests of one route, for one table.
type route struct {
	*counts
	*outlet
	config    *config.Route
	reading   string // of the path
	handler   http.Handler
	addresses *engine.Engine // keyed by address; nil without a second limiter
	limits    *engine.Engine // keyed by client; nil without a limiter
	calls     *engine.Engine // keyed by host; nil with neither breaker nor retries
	host      string         // of the upstream
	upstream  engine.Key     // the only key of calls
	address   func(*http.Request) string
	client    func(*http.Request) string
	exempt    *exemptions
	recent    recentKeys
	forward   forwarding
}

// counts are the figures of a route. Routes of the same name in several tables have the same
// counts.
type counts struct {
	requests, limited, unavailable, failed atomic.Uint64
}

// newRoute makes a route of t. The route takes over the parts of before that stay.
func (g *Gateway) newRoute(t *table, cfg *config.Route, before *route) (*route, error) {
	proxies := t.config.TrustedProxies
	r := &route{counts: before.counts, config: cfg, host: cfg.Upstream.Host, forward: forwarding{trusted: proxies > 0, key: cfg.Key.Header}}
	r.reading, _ = readingOf(cfg.Path)
	r.recent.seed, r.exempt = maphash.MakeSeed(), &t.exempt
	r.address = enginehttp.RemoteIP(proxies)
	if r.client = r.address; cfg.Key.Header != "" {
		r.client = enginehttp.Header(cfg.Key.Header)
	}
	g.connect(t, r, before)
	if err := g.guard(t, r, before); err != nil {
		return nil, err
	}
	r.handler = &httputil.ReverseProxy{
		Rewrite:        r.rewrite,
		ModifyResponse: r.modify,
		Transport:      r.guarded(),
		BufferPool:     &g.buffers,
		ErrorHandler:   unanswered,
		ErrorLog:       log.New(nowhere{}, "", 0), // the access log has the same
	}
	return r, nil
}

// connect gives r its connections: those of before, unless a field changes that concerns these.
func (g *Gateway) connect(t *table, r, before *route) {
	cfg, was := r.config, before.config
	switch {
	case !before.callsUpstreamOf(r):
		r.outlet = newOutlet(cfg, g.dial, nil)
	case cfg.Timeout == was.Timeout && cfg.MaxConnections == was.MaxConnections:
		r.outlet = before.outlet
	default:
		r.outlet = newOutlet(cfg, g.dial, before.outlet)
		if r.gate != nil {
			t.changes = append(t.changes, func() error {
				r.gate.places.resize(cfg.MaxConnections)
				return nil
			})
		}
	}
	g.use(t, r.outlet)
}

// callsUpstreamOf reports whether r has the server of other as its upstream.
func (r *route) callsUpstreamOf(other *route) bool {
	one, another := &r.config.Upstream, &other.config.Upstream
	return r.outlet != nil && one.Scheme == another.Scheme && one.Host == another.Host
}

// guard gives r its engines. An engine of before stays if its keys mean the same.
func (g *Gateway) guard(t *table, r, before *route) error {
	addresses, limits, calls := before.addresses, before.limits, before.calls
	if before.config.Key != r.config.Key {
		limits = nil
	}
	if !before.callsUpstreamOf(r) {
		calls = nil
	}
	var errs [3]error
	name, shown := r.config.Name, short
	if r.config.Key.Header != "" {
		shown = g.hash
	}
	if limit := r.config.AddressLimiter; limit != nil {
		r.addresses, errs[0] = g.engine(t, name, named(ofAddresses, limit.Engine()), short, addresses)
	}
	if limit := r.config.Limiter; limit != nil {
		r.limits, errs[1] = g.engine(t, name, named(ofClients, limit.Engine()), shown, limits)
	}
	if cfg, guarded := r.config.Engine(); guarded {
		if r.calls, errs[2] = g.engine(t, name, named(ofUpstream, cfg), short, calls); errs[2] == nil {
			r.upstream = r.calls.Key(r.host)
		}
	}
	return errors.Join(errs[:]...)
}

// guards reports whether the route has an engine.
func (r *route) guards() bool { return r.addresses != nil || r.limits != nil || r.calls != nil }

func named(name string, cfg engine.Config) engine.Config {
	cfg.Name = name
	return cfg
}

// guarded returns the transport of the route, with its stages around it.
func (r *route) guarded() http.RoundTripper {
	attempts := &patience{base: r.base, timeout: time.Duration(r.config.Timeout), bounded: r.gate != nil}
	if !r.guards() {
		return attempts
	}
	guard := &enginehttp.Transport{
		Base: attempts, Retryable: retryable,
		Chain: func(req *http.Request) (engine.Key, error) { return exchangeIn(req.Context()).keys.all, nil },
	}
	if b := r.config.Breaker; b != nil && b.SlowRate > 0 {
		guard.Classify = slowness(b.SlowAfter).classify
	}
	if r.config.Retry != nil {
		guard.MaxRetryAfter = time.Duration(r.config.Retry.MaxDelay)
	}
	switch {
	case r.config.Breaker != nil:
		return &prober{guard, r.probing}
	case r.calls == nil:
		return &bypass{guarded: guard, attempts: attempts}
	default:
		return guard
	}
}

// retryable is enginehttp.DefaultRetryable, but false for a request whose body cannot be sent again
// or has not come as a whole.
func retryable(req *http.Request, resp *http.Response, err error) bool {
	if u := exchangeIn(req.Context()).upload; u != nil && (u.spilt.Load() || !u.whole.Load()) {
		return false
	}
	return enginehttp.DefaultRetryable(req, resp, err)
}

// keyed reports whether the upstream will see what the limiter sees of req: at most one line of the
// field that tells clients apart, as of several lines the upstream may take another one than the
// limiter, and no field of that kind in Connection.
func (r *route) keyed(req *http.Request) bool {
	return (r.config.Key.Header == "" || len(req.Header[r.config.Key.Header]) <= 1) && !r.forward.hides(req)
}

// probing reports whether the breaker lets only probes through.
func (r *route) probing() bool {
	key, known := r.calls.Inspect(r.host)
	return known && key.Breaker == breaker.HalfOpen
}

// count counts the end of a request.
func (r *route) count(x *exchange) {
	switch {
	case x.ending == limited:
		r.limited.Add(1)
	case x.ending == unavailable:
		r.unavailable.Add(1)
	case x.ending == failed, x.ending == answered && x.status >= http.StatusInternalServerError && !ofTheRequest(x.status):
		r.failed.Add(1)
	case x.ending == answered && x.cut && !x.gone && x.cause == nil: // the upstream broke off, and the client was there
		r.failed.Add(1)
	}
}

// ofTheRequest reports whether a status of 5xx is about the request. An upstream that does not know
// a method or a version is well.
func ofTheRequest(status int) bool {
	return status == http.StatusNotImplemented || status == http.StatusHTTPVersionNotSupported
}

func (r *route) status() Status {
	s := Status{
		Name: r.config.Name, Requests: r.requests.Load(),
		Limited: r.limited.Load(), Unavailable: r.unavailable.Load(), Failed: r.failed.Load(),
	}
	for _, e := range []*engine.Engine{r.addresses, r.limits} {
		if e != nil {
			s.Shadow += e.Stats().ShadowRefused
		}
	}
	if r.calls != nil {
		if key, known := r.calls.Inspect(r.host); known {
			s.Breaker, s.OpenFor = key.Breaker, key.OpenFor
		}
	}
	return s
}

// nowhere drops the messages of httputil, which the access log replaces.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
