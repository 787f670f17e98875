package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
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

// fake imitates the gateway, as small as can be, on a network. It takes the routes, upstreams and limits from the configuration,
// and the other numbers of the demonstration's own.
type fake struct {
	network

	limits    map[string]*engine.Engine // by route
	calls     *engine.Engine
	transport *http.Transport
	reload    func(limit *engine.Engine, next engine.Config) error // nil: Reconfigure
	reloaded  atomic.Int32
	closed    atomic.Int32
}

// limitsOf are the configurations of the engines that limit clients, by route.
func limitsOf(config []byte) (c file, limits map[string]engine.Config, err error) {
	if err := json.Unmarshal(config, &c); err != nil {
		return c, nil, err
	}
	limits = map[string]engine.Config{}
	for _, r := range c.Routes {
		var rate int
		if _, err := fmt.Sscanf(r.Limiter.Rate, "%d/s", &rate); err != nil {
			return c, nil, err
		}
		limits[r.Name] = engine.Config{
			Limiter: limiter.TokenBucket{Capacity: r.Limiter.Burst, RefillRate: limiter.PerSecond(float64(rate))}, MaxWait: engine.NoWait,
		}
	}
	return c, limits, nil
}

// take is the Reload of a Gateway.
func (f *fake) take(config []byte) error {
	f.reloaded.Add(1)
	_, limits, err := limitsOf(config)
	if err != nil {
		return err
	}
	reload := f.reload
	if reload == nil {
		reload = (*engine.Engine).Reconfigure
	}
	var errs []error
	for name, next := range limits {
		errs = append(errs, reload(f.limits[name], next))
	}
	return errors.Join(errs...)
}

// serve is the start of a demo.
func (f *fake) serve(config []byte) (*Gateway, error) {
	c, limits, err1 := limitsOf(config)
	f.limits = map[string]*engine.Engine{}
	for name, limit := range limits {
		e, err := engine.New(limit)
		f.limits[name], err1 = e, errors.Join(err1, err)
	}
	var err2 error
	f.calls, err2 = engine.New(engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 5, RecoveryTimeout: time.Second},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: 20 * ms, MaxDelay: 200 * ms, Seed: 1},
	})
	listener, err3 := f.Listen()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	f.transport = &http.Transport{DialContext: f.DialContext, MaxIdleConnsPerHost: 64}
	mux := http.NewServeMux()
	for _, r := range c.Routes {
		mux.HandleFunc(r.Path, func(w http.ResponseWriter, req *http.Request) {
			if !f.limits[r.Name].Allow(req.Header.Get(r.Key["header"])) {
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			f.pass(w, req, r.Name, r.Upstream+req.URL.Path)
		})
	}
	server := &http.Server{Handler: mux}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }() // ends with Close
	return &Gateway{
		URL: "http://" + listener.Addr().String(),
		Changes: func(ctx context.Context) iter.Seq[Change] {
			return func(yield func(Change) bool) {
				for e := range f.calls.EventsSince(ctx, 0) {
					if !yield(Change{Route: e.Key, State: e.To.String(), At: e.At, Until: e.Until}) {
						return
					}
				}
			}
		},
		Reload: f.take,
		Close: func(ctx context.Context) error {
			f.closed.Add(1)
			err := server.Close()
			if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
				err = errors.Join(err, ended)
			}
			f.transport.CloseIdleConnections()
			for _, e := range f.limits {
				err = errors.Join(err, e.Close(ctx))
			}
			return errors.Join(err, f.calls.Close(ctx))
		},
	}, nil
}

// pass asks the upstream and passes on its last answer.
func (f *fake) pass(w http.ResponseWriter, req *http.Request, route, url string) {
	code, from := http.StatusBadGateway, ""
	err := f.calls.Run(req.Context(), route, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 200*ms)
		defer cancel()
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
	if _, rejected := errors.AsType[*engine.Rejection](err); rejected && from == "" {
		code = http.StatusServiceUnavailable
	}
	if from != "" {
		w.Header().Set(mark, from)
	}
	w.WriteHeader(code)
}
