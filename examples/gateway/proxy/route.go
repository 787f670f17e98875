package proxy

import (
	"context"
	"errors"
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
	limits    *engine.Engine // keyed by client; nil without a limiter
	addresses *engine.Engine // keyed by address; nil without a second limiter
	calls     *engine.Engine // keyed by host; nil with neither breaker nor retries
	host      string         // of the upstream: the only key of calls
	forward   forwarding

	requests, limited, unavailable, failed atomic.Uint64
}

func newRoute(cfg *config.Route, proxies int, buffers *buffers) (_ *route, err error) {
	r := &route{config: cfg, host: cfg.Upstream.Host, base: newTransport(cfg), forward: forwarding{trusted: proxies > 0, key: cfg.Key.Header}}
	r.reading, _ = readingOf(cfg.Path)
	if cfg.MaxConnections > 0 {
		r.gate = newGate(r.base, cfg.MaxConnections)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close(context.Background()))
		}
	}()
	transport, err := r.guarded()
	if err != nil {
		return nil, err
	}
	r.handler = &httputil.ReverseProxy{
		Rewrite:        r.rewrite,
		ModifyResponse: r.modify,
		Transport:      transport,
		BufferPool:     buffers,
		ErrorHandler:   unanswered,
		ErrorLog:       log.New(nowhere{}, "", 0), // the access log has the same
	}
	if cfg.Limiter == nil && cfg.AddressLimiter == nil {
		return r, nil
	}
	r.handler = &admitted{r.handler}
	address := enginehttp.RemoteIP(proxies)
	key := address
	if cfg.Key.Header != "" {
		key = enginehttp.Header(cfg.Key.Header)
	}
	if err = r.limit(&r.limits, cfg.Limiter, key); err != nil {
		return nil, err
	}
	return r, r.limit(&r.addresses, cfg.AddressLimiter, address)
}

// guarded returns the transport of the route, with its stages around it.
func (r *route) guarded() (http.RoundTripper, error) {
	attempts := &patience{base: r.base, timeout: time.Duration(r.config.Timeout), bounded: r.gate != nil}
	guards, guarded := r.config.Engine()
	if !guarded {
		return attempts, nil
	}
	var err error
	if r.calls, err = engine.New(guards); err != nil {
		return nil, err
	}
	guard := &enginehttp.Transport{
		Engine: r.calls, Base: attempts, Retryable: retryable,
		Key: func(*http.Request) string { return r.host },
	}
	if r.config.Retry != nil {
		guard.MaxRetryAfter = time.Duration(r.config.Retry.MaxDelay)
	}
	if r.config.Breaker == nil {
		return guard, nil
	}
	return &prober{guard, r.probing}, nil
}

// limit puts a limiter around the handler of the route, unless cfg is nil.
func (r *route) limit(limits **engine.Engine, cfg *config.Limiter, key func(*http.Request) string) (err error) {
	if cfg == nil {
		return nil
	}
	if *limits, err = engine.New(cfg.Engine()); err != nil {
		return err
	}
	r.handler = &enginehttp.Handler{Engine: *limits, Key: key, Next: r.handler, Wait: time.Duration(cfg.MaxWait)}
	return nil
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
	case x.ending == refused && x.status == http.StatusTooManyRequests:
		r.limited.Add(1)
	case x.ending == refused && errors.Is(x.cause, errLeft):
		x.status = statusLeft // for the log: the client left the queue
	case x.ending == refused && errors.Is(x.cause, errStopping):
	case x.ending == refused, x.ending == unavailable:
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
	for _, e := range []*engine.Engine{r.limits, r.addresses, r.calls} {
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

// admitted notes that the limiters have admitted a request.
type admitted struct{ next http.Handler }

func (a *admitted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	exchangeOf(w).ending = answered
	a.next.ServeHTTP(w, r)
}

// nowhere drops the messages of httputil, which the access log replaces.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
