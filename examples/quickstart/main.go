// Quickstart has five tenants call an HTTP server through one engine. The server fails one tenant
// for some seconds, and another tenant calls too often. The program shows the calls that the engine
// limits and refuses, tenant by tenant.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// newEngine holds the whole configuration. Every tenant gets a bucket and a breaker. The seed makes
// the retries of two runs wait for the same times.
func newEngine(seed uint64) (*engine.Engine, error) {
	return engine.New(engine.Config{
		Breaker:  &breaker.Policy{FailureThreshold: 5, RecoveryTimeout: 500 * time.Millisecond},
		Limiter:  limiter.TokenBucket{Capacity: 20, RefillRate: limiter.PerSecond(limit)},
		Retry:    &retry.Policy{MaxAttempts: 3, BaseDelay: 20 * time.Millisecond, Seed: seed},
		MaxWait:  100 * time.Millisecond,
		Classify: classify,
	})
}

// limit is how many requests per second each tenant may send.
const limit = 40

func main() {
	seed := flag.Uint64("seed", 1, "the same seed has the server fail in the same way")
	length := flag.Duration("for", 6*time.Second, "how long it runs, from 1s to 24h")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // so that a second Ctrl-C ends the program at once
	if err := run(ctx, &loopback{}, newScreen(os.Stdout), *seed, *length); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// network is where the server listens and the tenants dial.
type network interface {
	Listen() (net.Listener, error)
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// loopback is the network of this machine alone.
type loopback struct{ net.Dialer }

func (*loopback) Listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

// run has the tenants send their calls for length or until ctx ends, and reports to the screen.
func run(ctx context.Context, n network, screen *screen, seed uint64, length time.Duration) error {
	if length < time.Second || length > 24*time.Hour {
		return fmt.Errorf("-for %v: must be from 1s to 24h", length)
	}
	eng, err := newEngine(seed)
	if err != nil {
		return err
	}
	start := time.Now()
	up, err := startUpstream(n, newSchedule(seed, length), start)
	if err != nil {
		return err
	}
	client := newClient(n)
	screen.print(introduction(up.plan, length))

	// A cancellation and not a deadline: calls refuse to wait beyond a deadline, and the last calls
	// would look limited.
	ctx, end := context.WithCancel(ctx)
	defer end()
	defer time.AfterFunc(length, end).Stop()

	tallies := make([]tally, len(tenants))
	var sending errgroup.Group // each goroutine ends when ctx does
	for i, t := range tenants {
		by := &caller{eng, client, up.url(t), &tallies[i]}
		gaps := rand.New(rand.NewPCG(seed, uint64(i)))
		sending.Go(func() error { return t.send(ctx, by, gaps) })
	}
	w := watcher{tallies: tallies, start: start}
	var following sync.WaitGroup
	following.Go(func() { w.follow(eng.EventsSince(context.Background(), 0)) }) // ends after the last event, when eng is closed
	w.watch(ctx, screen)
	failed := sending.Wait()
	client.CloseIdleConnections()
	closing, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	failed = errors.Join(failed, eng.Close(closing), up.close())
	following.Wait()
	screen.print(report(up.plan, tallies, w.changes, w.ended))
	return failed
}

// newClient returns a client that gives up on an answer after a second, which then counts as a
// failure like any other.
func newClient(n network) *http.Client {
	return &http.Client{
		Timeout:   time.Second,
		Transport: &http.Transport{DialContext: n.DialContext, MaxIdleConnsPerHost: 16},
	}
}

// status is the error of an answer that is not 200.
type status int

func (s status) Error() string { return fmt.Sprintf("the upstream answered %d", int(s)) }

// fetch makes one request. Its error tells the engine whether another attempt is worthwhile.
func fetch(ctx context.Context, client *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", retry.Permanent(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err // connection lost, or no answer in time
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return string(body), err
	case code == http.StatusTooManyRequests:
		return "", retry.After(status(code), retryAfter(resp.Header))
	case code >= 500:
		return "", status(code)
	default:
		return "", retry.Permanent(status(code)) // the next answer would be the same
	}
}

// retryAfter is the time that the header Retry-After asks for, in seconds or as a date (RFC 9110,
// section 10.2.3).
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return time.Until(at)
	}
	return 0
}

// classify tells the breaker how to count an error. An answer 4xx says nothing against the server's
// health.
func classify(err error) engine.Outcome {
	if s, ok := errors.AsType[status](err); ok && s < 500 {
		return engine.Ignore
	}
	return engine.Failure
}
