package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// file is what the tests look at in a configuration.
type file struct {
	Listen string `json:"listen"`
	Log    string `json:"log"`
	Routes []struct {
		Name     string            `json:"name"`
		Path     string            `json:"path"`
		Upstream string            `json:"upstream"`
		Key      map[string]string `json:"key"`
		Limiter  struct {
			Rate  string `json:"rate"`
			Burst int    `json:"burst"`
		} `json:"limiter"`
		Breaker struct {
			Failures int    `json:"failures"`
			Recovery string `json:"recovery"`
		} `json:"breaker"`
		Retry struct {
			Attempts  int    `json:"attempts"`
			BaseDelay string `json:"base_delay"`
			MaxDelay  string `json:"max_delay"`
		} `json:"retry"`
		Timeout string `json:"timeout"`
	} `json:"routes"`
	Connection map[string]string `json:"connection"`
}

// fake imitates the gateway, as small as can be. It takes the routes and upstreams from the configuration, and its own times, which
// are shorter. Only payments has a timeout, so that on a machine that stalls the others do not look sick.
type fake struct {
	recovery, timeout time.Duration

	limits, calls *engine.Engine
	transport     *http.Transport
	counts        map[string]*[4]atomic.Uint64 // requests, limited, unavailable, failed; by route
	closed        atomic.Int32
}

// serve is the start of a demo.
func (f *fake) serve(config []byte) (*Gateway, error) {
	var c file
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	var err1, err2 error
	f.limits, err1 = engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.PerSecond(20)}, MaxWait: engine.NoWait,
	})
	f.calls, err2 = engine.New(engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 5, RecoveryTimeout: f.recovery},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: 20 * time.Millisecond},
	})
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	f.transport = &http.Transport{MaxIdleConnsPerHost: 64}
	mux := http.NewServeMux()
	f.counts = map[string]*[4]atomic.Uint64{}
	for _, r := range c.Routes {
		f.counts[r.Name] = new([4]atomic.Uint64)
		mux.HandleFunc(r.Path, func(w http.ResponseWriter, req *http.Request) {
			f.counts[r.Name][0].Add(1)
			if !f.limits.Allow(r.Name + " " + req.Header.Get(r.Key["header"])) {
				f.counts[r.Name][1].Add(1)
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			f.pass(w, req, r.Name, r.Upstream+req.URL.Path)
		})
	}
	server := httptest.NewServer(mux)
	return &Gateway{
		URL: server.URL,
		Status: func() (all []Route) {
			for _, r := range c.Routes {
				s, _ := f.calls.Inspect(r.Name)
				n := f.counts[r.Name]
				all = append(all, Route{
					Name: r.Name, Breaker: s.Breaker.String(), OpenFor: s.OpenFor,
					Requests: n[0].Load(), Limited: n[1].Load(), Unavailable: n[2].Load(), Failed: n[3].Load(),
				})
			}
			return all
		},
		Close: func(ctx context.Context) error {
			f.closed.Add(1)
			server.Close()
			f.transport.CloseIdleConnections()
			return errors.Join(f.limits.Close(ctx), f.calls.Close(ctx))
		},
	}, nil
}

// pass asks the upstream and passes on its last answer.
func (f *fake) pass(w http.ResponseWriter, req *http.Request, route, url string) {
	code, from := http.StatusBadGateway, ""
	err := f.calls.Run(req.Context(), route, func(ctx context.Context) error {
		if route == "payments" {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, f.timeout)
			defer cancel()
		}
		code, from = http.StatusBadGateway, ""
		out, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := f.transport.RoundTrip(out)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		code, from = resp.StatusCode, resp.Header.Get(mark)
		if code >= 500 {
			return fmt.Errorf("status %d", code)
		}
		return nil
	})
	rejection, rejected := errors.AsType[*engine.Rejection](err)
	if rejected && from == "" {
		code = http.StatusServiceUnavailable
	}
	switch {
	case rejected && err == error(rejection): // and not after an attempt
		f.counts[route][2].Add(1)
	case err != nil:
		f.counts[route][3].Add(1)
	}
	if from != "" {
		w.Header().Set(mark, from)
	}
	w.WriteHeader(code)
}

// shortScript is a script in which all happens that happens in ten seconds, in two. It goes on for as long as the context does.
func shortScript() script {
	s := tenSeconds()
	s.length = 8 * time.Second
	s.acts = []act{
		{200 * time.Millisecond, hanging},
		{1200 * time.Millisecond, resetting},
		{1400 * time.Millisecond, unavailable},
		{1600 * time.Millisecond, well},
	}
	s.window = 200 * time.Millisecond
	s.routes[1].delay = 5 * time.Millisecond
	for c := range s.cast { // little, so that a busy machine can keep up under the race detector
		s.cast[c].rate = 7
	}
	s.cast[3].rate, s.cast[3].wave = 100, 500*time.Millisecond
	return s
}
