// Package admin is the address on which a gateway shows itself to its operators: whether the
// gateway serves, its figures, the state of keys, and the events of its engines as they come. Only a
// request that forces a breaker changes something, and only if the gateway may be forced. Requests
// are not logged; the events of forced breakers are.
//
// A key that is the value of a header may be a secret. Such a key is shown as in the log, as a hash.
package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// Gateway is what a Server shows: a proxy.Server or a proxy.Gateway.
type Gateway interface {
	Guards() []proxy.Guard
	EventsSince(ctx context.Context, seq uint64) iter.Seq[proxy.Event]
}

// Server serves these paths, for GET and HEAD, but for the last:
//
//	/healthz       200 while the gateway serves, 503 from Drain on
//	/metrics       the figures of the engines and of the process, for Prometheus
//	/debug/keys    the engines, the keys that were refused most, and the state of a key, as JSON
//	/debug/events  the events of the engines as they come, as lines of JSON
//	/debug/force   for POST: forces the breaker of a key open or closed for a time
//
// A Server answers no request that may come from a page of another site in an operator's browser: a
// request whose Host is another name than that of the address is answered 403, and so is a POST from
// such a page.
//
// A Server bounds its clients: 64 connections at a time, 16 KiB of a request's header, 10 s for a
// header, and 10 s in which a client may take nothing of an answer. Make a Server with [Start], and
// end the Server with [Server.Close].
type Server struct {
	gateway  Gateway
	mayForce bool
	origin   origin
	http     *http.Server
	url      string
	draining atomic.Bool
	stop     context.CancelFunc // ends the contexts of all requests
	serving  sync.WaitGroup     // of the goroutine that serves
}

const (
	mostClients = 64
	mostHeader  = 16 << 10
	patience    = 10 * time.Second // with a client that sends or takes nothing
)

// Start listens on address, "host:port", and serves. force says whether operators may force breakers.
// Messages of net/http go to log.
func Start(address string, force bool, gateway Gateway, log *slog.Logger) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	return serve(listener, originOf(address, listener), force, gateway, log), nil
}

// serve is Start on a listener.
func serve(listener net.Listener, o origin, force bool, gateway Gateway, logger *slog.Logger) *Server {
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{gateway: gateway, mayForce: force, origin: o, url: "http://" + listener.Addr().String(), stop: stop}
	errorLog := slog.NewLogLogger(logger.Handler(), slog.LevelWarn)
	s.http = &http.Server{
		Handler:           s.handler(errorLog),
		ReadHeaderTimeout: patience,
		WriteTimeout:      patience,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    mostHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          errorLog,
	}
	s.serving.Go(func() { // ends with Close, which waits for it
		if err := s.http.Serve(newBounded(listener, mostClients)); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("the admin address has failed", "error", err.Error())
		}
	})
	return s
}

// handler answers all requests.
func (s *Server) handler(errorLog *log.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.Handle("GET /metrics", metrics(s.gateway, errorLog))
	mux.HandleFunc("GET /debug/keys", s.keys)
	mux.HandleFunc("GET /debug/events", s.events)
	mux.HandleFunc("POST /debug/force", s.force)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.ContentLength != 0 { // net/http would wait for the body after the answer, for as long as the client likes
			w.Header().Set("Connection", "close")
			_ = http.NewResponseController(w).SetReadDeadline(time.Now())
			http.Error(w, "a request must have no body", http.StatusBadRequest)
			return
		}
		if err := s.origin.check(r); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok\n") // the client may have left
}

// URL returns the URL of s.
func (s *Server) URL() string { return s.url }

// Drain has /healthz say that the gateway is stopping.
func (s *Server) Drain() { s.draining.Store(true) }

// lastWord is how long answers that are under way may take for their end.
const lastWord = time.Second

// Close ends s. Answers that are under way may take a second for their end, and are then cut off.
// If the gateway has ended before, streams of events end with the last event. Nothing of s runs
// after Close. Call Close once.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), lastWord)
	defer cancel()
	_ = s.http.Shutdown(ctx) // the rest is cut off
	s.stop()
	_ = s.http.Close()
	s.serving.Wait()
}
