package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// Server is a Gateway that serves. Make a Server with [Start], change its configuration with
// [Server.Reload], and end it with [Server.Close].
type Server struct {
	gateway *Gateway
	log     *Log // nil if the log is off
	clients *listener
	pacing  pacing
	http    *http.Server
	url     string
	stop    context.CancelCauseFunc // ends the contexts of all requests
	failed  chan error              // capacity 1
	serving sync.WaitGroup          // of the goroutine that sends to failed
}

// Start listens as cfg says, and serves. The access log and the messages of net/http, such as those
// about panics, go to logs.
func Start(cfg *config.Config, logs io.Writer) (*Server, error) {
	return start(cfg, logs, net.Listen, nil)
}

type listenFunc func(network, address string) (net.Listener, error)

// start is Start on another network. The connections of listen and dial have CloseWrite. If dial is
// nil, a net.Dialer dials.
func start(cfg *config.Config, logs io.Writer, listen listenFunc, dial dialFunc) (*Server, error) {
	s := &Server{failed: make(chan error, 1)}
	errorLog := log.New(logs, "gateway: ", log.LstdFlags)
	var access *slog.Logger
	if cfg.Log != "off" {
		s.log = NewLog(logs, cfg.Log == "json")
		access = s.log.Logger
		errorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)
	}
	err := s.open(cfg, listen, dial, access, errorLog)
	if err != nil {
		return nil, errors.Join(err, s.release(context.Background()))
	}
	return s, nil
}

func (s *Server) open(cfg *config.Config, listen listenFunc, dial dialFunc, access *slog.Logger, errorLog *log.Logger) (err error) {
	if s.gateway, err = newGateway(cfg, access, dial); err != nil {
		return err
	}
	s.pacing.made = func(e *engine.Engine) { s.gateway.journal.follow("", e, short, access) }
	if err = s.pacing.change(cfg.Connection); err != nil {
		return err
	}
	below, err := listen("tcp", cfg.Listen)
	if err != nil {
		return err
	}
	s.url = urlOf(below.Addr())
	s.clients = newListener(below, cfg.MaxClientConnections, time.Duration(cfg.Timeouts.Stall))
	if access != nil {
		s.clients.direct = s.gateway.noteDirect
	}
	s.pacing.Listener = s.clients
	ctx, stop := context.WithCancelCause(context.Background())
	s.stop = stop
	ctx = context.WithValue(ctx, stoppingKey{}, ctx.Done())
	s.http = &http.Server{
		Handler:                      s.gateway,
		DisableGeneralOptionsHandler: true, // which would answer past routes, limits and log
		ReadHeaderTimeout:            time.Duration(cfg.Timeouts.ReadHeader),
		WriteTimeout:                 time.Duration(cfg.Timeouts.Write),
		IdleTimeout:                  time.Duration(cfg.Timeouts.Idle),
		MaxHeaderBytes:               int(cfg.MaxHeaderBytes),
		BaseContext:                  func(net.Listener) context.Context { return ctx },
		ConnContext:                  withConn,
		ConnState:                    watchConn,
		ErrorLog:                     errorLog,
	}
	s.serving.Go(func() { s.failed <- s.http.Serve(&s.pacing) }) // ends with Close, which waits for it
	return nil
}

// urlOf returns the URL at which a client on this machine finds the listener on addr.
func urlOf(addr net.Addr) string {
	at, err := netip.ParseAddrPort(addr.String())
	if err == nil && at.Addr().IsUnspecified() {
		return fmt.Sprintf("http://localhost:%d", at.Port())
	}
	return "http://" + addr.String()
}

// URL returns the URL of the server, for a client on this machine.
func (s *Server) URL() string { return s.url }

// Status is [Gateway.Status].
func (s *Server) Status() []Status { return s.gateway.Status() }

// Reload puts cfg into force while the server serves, as [Gateway.Reload] does. cfg must come from
// config.Config.Next of the configuration in force, so that fields that cannot change are the same.
// Connections of clients that are open follow the limit of bytes per second, unless there was none
// when the connection was accepted. One goroutine at a time may call Reload, and not after Close.
func (s *Server) Reload(cfg *config.Config) error {
	if err := s.gateway.Reload(cfg); err != nil {
		return err
	}
	s.clients.places.resize(cfg.MaxClientConnections)
	s.clients.stall.Store(int64(cfg.Timeouts.Stall))
	return s.pacing.change(cfg.Connection) // no error: config has checked cfg
}

// Logger returns the logger of the access log, for further lines.
func (s *Server) Logger() *slog.Logger {
	if s.log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.log.Logger
}

// Failed returns a channel with the error with which the server ended: http.ErrServerClosed after
// Close.
func (s *Server) Failed() <-chan error { return s.failed }

// lastWord is how long requests that are cut off may take for their last answer.
const lastWord = time.Second

// Close stops to accept connections, and waits until the requests that are running have ended, or
// until ctx ends. WebSockets are such requests. When ctx ends, Close cuts off the rest, and the
// error says how many. Nothing of the server runs after Close. Call Close once.
func (s *Server) Close(ctx context.Context) error {
	_ = s.http.Shutdown(ctx) // the error is that of ctx, which is asked below
	var err error
	idle := s.gateway.now.drain()
	select {
	case <-idle:
	case <-ctx.Done():
		if cut := s.gateway.now.requests.Load(); cut > 0 {
			err = fmt.Errorf("proxy: requests that had not ended in time and were cut off: %d", cut)
		}
	}
	s.stop(errStopping)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	_ = s.http.Shutdown(closing) // until the answers have left, later than the requests end
	err = errors.Join(err, s.http.Close())
	s.serving.Wait()
	select {
	case <-idle:
	case <-closing.Done():
	}
	return errors.Join(err, s.release(closing)) // the engines have no work left, and end at once
}

// release ends all but the listener.
func (s *Server) release(ctx context.Context) error {
	errs := []error{s.pacing.end(ctx)} // first, since the gateway waits for the events of this engine, too
	if s.gateway != nil {
		errs = append(errs, s.gateway.Close(ctx))
	}
	if s.log != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
		defer cancel()
		errs = append(errs, s.log.Close(ctx))
	}
	return errors.Join(errs...)
}
