// Package demo shows what the gateway does. It starts three upstreams on the loopback interface, one of which falls sick, lets
// a handful of clients send their requests through the gateway, and draws what these see.
package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// Gateway is a gateway that serves. Its fields are set by whoever starts it; all of them are needed.
type Gateway struct {
	URL    string                      // where it listens, such as "http://127.0.0.1:8080"
	Status func() []Route              // what it has to say of its routes; called some 200 times a second by one goroutine
	Close  func(context.Context) error // called once, at the end
}

// Route is what the gateway says of one of its routes. The counters are since its start.
type Route struct {
	Name        string
	Breaker     string        // "closed", "open" or "half-open"; "" is closed
	OpenFor     time.Duration // until an open breaker admits a probe, else 0
	Requests    uint64        // all that came
	Limited     uint64        // answered 429 by the limiter
	Unavailable uint64        // answered 503 without asking the upstream
	Failed      uint64        // the upstream was asked, without success
}

// state is the state of the breaker.
func (r Route) state() string {
	if r.Breaker == "" {
		return closed
	}
	return r.Breaker
}

// Run shows the demo on out and takes about ten seconds. It calls start once, with the configuration of the gateway that it
// wants as JSON text. It ends early, and still prints the summary, when ctx does.
//
// If out is a terminal, a block of at most 79 columns is redrawn in place, in colour unless NO_COLOR is set; else a line is
// written every second. Run returns the error of start, of closing the gateway, or of the loopback interface.
func Run(ctx context.Context, out *os.File, start func(config []byte) (*Gateway, error)) error {
	return tenSeconds().play(ctx, newScreen(out, func() int { return rows(out) }), start)
}

// patience is how long closing the gateway may take.
const patience = 3 * time.Second

// play performs the script. Everything that it has started has ended when it returns.
func (s script) play(ctx context.Context, screen *screen, start func([]byte) (*Gateway, error)) (err error) {
	ups, err := openUpstreams(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ups.close()) }()
	gateway, err := start(ups.config())
	if err != nil {
		return fmt.Errorf("starting the gateway: %w", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if failed := gateway.Close(closing); failed != nil {
			err = errors.Join(err, fmt.Errorf("closing the gateway: %w", failed))
		}
	}()
	traffic := newTraffic(s, gateway.URL)
	defer traffic.close()
	if err := traffic.warm(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before there was anything to see
		}
		return err
	}

	screen.print(s.introduction())
	ctx, end := context.WithTimeout(ctx, s.length)
	defer end()
	now := time.Now()
	w := watcher{script: s, gateway: gateway, upstreams: ups, record: &traffic.record, start: now}
	w.begin()
	ups.begin(now)
	traffic.begin(ctx, now)
	w.watch(ctx, screen) // leaves the terminal as it was, so that from here on a second Ctrl-C does no harm
	traffic.wait()
	w.look()
	told := w.story()
	screen.print(told.summary(screen.ink))
	return nil
}
