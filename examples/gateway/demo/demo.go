// Package demo demonstrates the gateway. Run starts three upstreams, of which one falls sick, sends
// the requests of four clients through the gateway, changes a limit meanwhile, and draws the
// answers that the clients get.
package demo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"os"
	"sync"
	"time"
)

// Gateway is a gateway that serves. All fields are needed.
type Gateway struct {
	URL     string                                 // such as "http://127.0.0.1:8080"
	Changes func(context.Context) iter.Seq[Change] // of the breakers since the start, in order, until Close or the end of the context
	Reload  func(config []byte) error              // takes a new configuration over while requests run; called once
	Close   func(context.Context) error            // called once, at the end
}

// Change is a change in the state of a route's breaker.
type Change struct {
	Route string
	State string // "closed", "open" or "half-open"
	At    time.Time
	Until time.Time // when an open breaker admits a probe
}

// Run shows the demonstration on out and takes about ten seconds. Run calls start once, with the
// configuration for the gateway as JSON text, and later Reload with another configuration. If ctx
// ends, Run ends early and still prints the summary.
//
// If out is a terminal, a block of at most 79 columns is redrawn in place, in colour unless
// NO_COLOR is set; else a line is written every second. Run returns the error of start, of Reload,
// of closing the gateway, or of the loopback interface.
func Run(ctx context.Context, out *os.File, start func(config []byte) (*Gateway, error)) error {
	return tenSeconds().play(ctx, &loopback{}, newScreen(out, func() int { return rows(out) }), start)
}

// network is where the upstreams and the gateway listen and the clients dial.
type network interface {
	Listen() (net.Listener, error)
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// loopback is the network of this machine alone.
type loopback struct{ net.Dialer }

func (*loopback) Listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

// patience is the longest time for closing the gateway.
const patience = 3 * time.Second

// play performs the script, and returns when all of its goroutines have ended.
func (s script) play(ctx context.Context, n network, screen *screen, start func([]byte) (*Gateway, error)) (err error) {
	ups, err := openUpstreams(s, n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ups.close()) }()
	gateway, err := start(ups.config(false))
	if err != nil {
		return fmt.Errorf("starting the gateway: %w", err)
	}
	end := sync.OnceValue(func() error {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if failed := gateway.Close(closing); failed != nil {
			return fmt.Errorf("closing the gateway: %w", failed)
		}
		return nil
	})
	defer func() { err = errors.Join(err, end()) }()
	return s.perform(ctx, n, screen, ups, gateway, end)
}

// perform performs the script with a gateway that serves. end closes the gateway, also if called
// again.
func (s script) perform(ctx context.Context, n network, screen *screen, ups *upstreams, gateway *Gateway, end func() error) error {
	traffic := newTraffic(s, n, gateway.URL)
	defer traffic.close()
	if err := traffic.warm(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before there was anything to see
		}
		return err
	}

	screen.print(s.introduction())
	sending, stop := context.WithTimeout(ctx, s.length)
	defer stop()
	now := time.Now()
	w := watcher{script: s, gateway: gateway, upstreams: ups, record: &traffic.record, start: now}
	var following sync.WaitGroup
	following.Go(func() { w.follow(gateway.Changes(context.Background())) }) // ends with the gateway
	ups.begin(now)
	traffic.begin(sending, now)
	failed := w.watch(sending, screen) // restores the terminal, so that from here on a second Ctrl-C does no harm
	stop()
	traffic.wait()
	traffic.close()
	_ = end() // which play returns
	following.Wait()
	if failed != nil {
		return failed
	}
	told := w.story()
	screen.print(told.summary(screen.ink))
	return nil
}
