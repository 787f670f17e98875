package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// fake imitates the gateway, as small as can be, on a network. It takes the routes and upstreams from the configuration, and the
// numbers of the demonstration's own.
type fake struct {
	network

	limits, calls *engine.Engine
	transport     *http.Transport
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
		Limiter: limiter.TokenBucket{Capacity: 20, RefillRate: limiter.PerSecond(50)}, MaxWait: engine.NoWait,
	})
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
			if !f.limits.Allow(r.Name + " " + req.Header.Get(r.Key["header"])) {
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
		Status: func() (all []Route) {
			for _, r := range c.Routes {
				s, _ := f.calls.Inspect(r.Name)
				all = append(all, Route{Name: r.Name, Breaker: s.Breaker.String(), OpenFor: s.OpenFor})
			}
			return all
		},
		Close: func(ctx context.Context) error {
			f.closed.Add(1)
			err := server.Close()
			if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
				err = errors.Join(err, ended)
			}
			f.transport.CloseIdleConnections()
			return errors.Join(err, f.limits.Close(ctx), f.calls.Close(ctx))
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
