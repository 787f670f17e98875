// Outage keeps a value from an upstream up to date while the upstream goes down and comes back. Its
// test puts the same code through an hour of outage in a few milliseconds.
//
//	go run ./examples/outage
//	go test -v ./examples/outage
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/retry"
)

// timing is how patient a feed is.
type timing struct {
	every    time.Duration // between two refreshes
	backoff  time.Duration // before the first retry
	recovery time.Duration // from the opening of the breaker to the probe
}

var (
	production = timing{every: 10 * time.Second, backoff: time.Second, recovery: 30 * time.Second}
	impatient  = timing{every: 20 * time.Millisecond, backoff: 2 * time.Millisecond, recovery: 60 * time.Millisecond}
)

// feed keeps the latest price. While the upstream is down, the latest price is the last that came.
type feed struct {
	eng   *engine.Engine
	clock clock.Clock
	every time.Duration
	fetch func(context.Context) (int64, error)
	price atomic.Int64
}

// newFeed takes the clock as an argument. A test needs nothing else to run without waiting.
func newFeed(c clock.Clock, t timing, fetch func(context.Context) (int64, error)) (*feed, error) {
	eng, err := engine.New(engine.Config{
		Name:    "feed",
		Clock:   c,
		Breaker: &breaker.Policy{FailureThreshold: 5, RecoveryTimeout: t.recovery},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: t.backoff, Jitter: retry.NoJitter},
	})
	return &feed{eng: eng, clock: c, every: t.every, fetch: fetch}, err
}

// run refreshes the price until ctx ends.
func (f *feed) run(ctx context.Context) {
	for {
		if price, err := engine.Do(ctx, f.eng, "prices", f.fetch); err == nil {
			f.price.Store(price)
		}
		pause := f.clock.NewTimer(f.every)
		select {
		case <-pause.C():
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}

// breaker is the state of the feed's breaker.
func (f *feed) breaker() breaker.State {
	s, _ := f.eng.Inspect("prices")
	return s.Breaker
}

// upstream answers the feed. The price is the number of questions so far.
type upstream struct {
	down     atomic.Bool
	requests atomic.Int64
}

var errDown = errors.New("the upstream is down")

func (u *upstream) fetch(context.Context) (int64, error) {
	n := u.requests.Add(1)
	if u.down.Load() {
		return 0, errDown
	}
	return n, nil
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run shows an outage in real time, and therefore a short one. The log tells why the breaker opens, and when it lets the
// next probe through.
func run(ctx context.Context, out io.Writer) error {
	var up upstream
	f, err := newFeed(clock.System(), impatient, up.fetch)
	if err != nil {
		return err
	}
	defer f.eng.Close(ctx)
	ctx, stop := context.WithCancel(ctx)
	logger := slog.New(slog.NewTextHandler(out, nil))
	var running errgroup.Group
	running.Go(func() error { engine.LogEvents(ctx, logger, f.eng); return nil })
	running.Go(func() error { f.run(ctx); return nil }) // ends with stop

	for _, down := range []bool{false, true, false} {
		up.down.Store(down)
		before := up.requests.Load()
		time.Sleep(250 * time.Millisecond)
		current := f.price.Load() > before
		logger.Info("now", "upstream down", down, "breaker", f.breaker(), "price is current", current)
	}
	stop()
	return running.Wait()
}
