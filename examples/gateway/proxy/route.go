package proxy

import (
	"context"
	"errors"
	"log"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// route passes the requests of one route on.
type route struct {
	config  *config.Route
	handler http.Handler
	base    *http.Transport
	limits  *engine.Engine // keyed by client; nil without a limiter
	calls   *engine.Engine // keyed by host of the upstream, the only one; nil with neither breaker nor retries
	host    string         // that key

	requests, limited, unavailable, failed atomic.Uint64
}

func newRoute(cfg *config.Route, proxies int, buffers *buffers) (*route, error) {
	r := &route{config: cfg, host: cfg.Upstream.Host, base: newTransport(cfg)}
	var transport http.RoundTripper = &patience{base: r.base, timeout: time.Duration(cfg.Timeout), always: cfg.MaxConnections > 0}
	if guards, guarded := cfg.Engine(); guarded {
		var err error
		if r.calls, err = engine.New(guards); err != nil {
			return nil, err
		}
		guard := &enginehttp.Transport{Engine: r.calls, Base: transport, Key: func(*http.Request) string { return r.host }}
		if cfg.Retry != nil {
			guard.MaxRetryAfter = time.Duration(cfg.Retry.MaxDelay)
		}
		transport = guard
	}
	r.handler = &httputil.ReverseProxy{
		Rewrite:      r.rewrite(proxies > 0),
		Transport:    transport,
		BufferPool:   buffers,
		ErrorHandler: unanswered,
		ErrorLog:     log.New(nowhere{}, "", 0), // what it would say is in the access log
	}
	if cfg.Limiter == nil {
		return r, nil
	}
	var err error
	if r.limits, err = engine.New(cfg.Limiter.Engine()); err != nil {
		return nil, errors.Join(err, r.close(context.Background()))
	}
	key := enginehttp.RemoteIP(proxies)
	if cfg.Key.Header != "" {
		key = enginehttp.Header(cfg.Key.Header)
	}
	r.handler = &enginehttp.Handler{
		Engine: r.limits, Key: key, Next: &admitted{r.handler}, Wait: time.Duration(cfg.Limiter.MaxWait),
	}
	return r, nil
}

// rewrite makes the request to the upstream: its address, the path without the route's if that is wanted, and whom it is for. What clients
// say of that themselves is kept only if a proxy that is trusted has sent it.
func (r *route) rewrite(trusted bool) func(*httputil.ProxyRequest) {
	return func(p *httputil.ProxyRequest) {
		if u := p.Out.URL; r.config.StripPrefix {
			n := below(u.Path, r.config.Path)
			if u.RawPath != "" {
				u.RawPath = u.RawPath[escaped(u.RawPath, n):]
			}
			u.Path = u.Path[n:]
		}
		p.Out.URL.RawQuery = p.In.URL.RawQuery // as it came: nothing here depends on what it says
		p.SetURL(&r.config.Upstream.URL)
		p.Out.Trailer = p.In.Trailer // not a copy: the values come with the end of the body
		if up := p.Out.Header.Get("Upgrade"); up != "" && r.config.Upstream.Scheme == "https" && !strings.EqualFold(up, "websocket") {
			// HTTP/2 may have been agreed on, which has no other. An Upgrade may be ignored (RFC 9110, section 7.8).
			p.Out.Header.Del("Connection")
			p.Out.Header.Del("Upgrade")
		}
		if trusted {
			p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
		}
		p.SetXForwarded()
		if !trusted {
			return
		}
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto"} {
			if v := p.In.Header[name]; len(v) > 0 {
				p.Out.Header[name] = v
			}
		}
	}
}

// count counts how a request has ended.
func (r *route) count(x *exchange, req *http.Request) {
	switch {
	case x.ending == refused && x.status == http.StatusTooManyRequests:
		r.limited.Add(1)
	case x.ending == refused && req.Context().Err() != nil:
		if !errors.Is(context.Cause(req.Context()), errStopping) {
			x.status = statusLeft // the queue; for the log
		}
	case x.ending == refused, x.ending == unavailable:
		r.unavailable.Add(1)
	case x.ending == failed, x.ending == answered && x.status >= http.StatusInternalServerError:
		r.failed.Add(1)
	case x.ending == answered && x.cut && !x.gone && req.Context().Err() == nil: // it broke off, and not because the client had left
		r.failed.Add(1)
	}
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
	for _, e := range []*engine.Engine{r.limits, r.calls} {
		if e != nil {
			errs = append(errs, e.Close(ctx))
		}
	}
	r.base.CloseIdleConnections()
	return errors.Join(errs...)
}

// admitted is what comes behind the limiter.
type admitted struct{ next http.Handler }

func (a *admitted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	exchangeOf(w).ending = answered
	a.next.ServeHTTP(w, r)
}

// nowhere is where messages go that nobody needs.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
