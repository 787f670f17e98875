package proxy

import (
	"context"
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

// route passes on the requests of one route.
type route struct {
	config    *config.Route
	reading   string // of the path
	handler   http.Handler
	base      *http.Transport
	gate      *gate          // nil without a bound on connections
	addresses *engine.Engine // keyed by address; nil without a second limiter
	limits    *engine.Engine // keyed by client; nil without a limiter
	calls     *engine.Engine // keyed by host; nil with neither breaker nor retries
	host      string         // of the upstream
	upstream  engine.Key     // the only key of calls
	address   func(*http.Request) string
	client    func(*http.Request) string
	recent    recentKeys
	forward   forwarding

	requests, limited, unavailable, failed atomic.Uint64
}

func newRoute(cfg *config.Route, proxies int, buffers *buffers) (*route, error) {
	r := &route{config: cfg, host: cfg.Upstream.Host, base: newTransport(cfg), forward: forwarding{trusted: proxies > 0, key: cfg.Key.Header}}
	r.reading, _ = readingOf(cfg.Path)
	if cfg.MaxConnections > 0 {
		r.gate = newGate(r.base, cfg.MaxConnections)
	}
	r.recent.seed = maphash.MakeSeed()
	r.address = enginehttp.RemoteIP(proxies)
	if r.client = r.address; cfg.Key.Header != "" {
		r.client = enginehttp.Header(cfg.Key.Header)
	}
	if err := r.start(); err != nil {
		return nil, errors.Join(err, r.close(context.Background()))
	}
	r.handler = &httputil.ReverseProxy{
		Rewrite:        r.rewrite,
		ModifyResponse: r.modify,
		Transport:      r.guarded(),
		BufferPool:     buffers,
		ErrorHandler:   unanswered,
		ErrorLog:       log.New(nowhere{}, "", 0), // the access log has the same
	}
	return r, nil
}

// start makes the engines of the route.
func (r *route) start() error {
	calls, guarded := r.config.Engine()
	var errs [3]error
	if limit := r.config.AddressLimiter; limit != nil {
		r.addresses, errs[0] = engine.New(named(ofAddresses, limit.Engine()))
	}
	if limit := r.config.Limiter; limit != nil {
		r.limits, errs[1] = engine.New(named(ofClients, limit.Engine()))
	}
	if guarded {
		r.calls, errs[2] = engine.New(named(ofUpstream, calls))
	}
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	if guarded {
		r.upstream = r.calls.Key(r.host)
	}
	return nil
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
	if r.config.Retry != nil {
		guard.MaxRetryAfter = time.Duration(r.config.Retry.MaxDelay)
	}
	if r.config.Breaker == nil {
		return guard
	}
	return &prober{guard, r.probing}
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
	if r.calls != nil {
		if key, known := r.calls.Inspect(r.host); known {
			s.Breaker, s.OpenFor = key.Breaker, key.OpenFor
		}
	}
	return s
}

func (r *route) close(ctx context.Context) error {
	var errs []error
	for _, e := range []*engine.Engine{r.addresses, r.limits, r.calls} {
		if e != nil {
			errs = append(errs, e.Close(ctx))
		}
	}
	if r.gate != nil {
		r.gate.close()
	}
	r.base.CloseIdleConnections()
	return errors.Join(errs...)
}

// nowhere drops the messages of httputil, which the access log replaces.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
