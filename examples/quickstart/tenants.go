package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// tenant is a customer. Its calls go to a part of the server that serves no other tenant.
type tenant struct {
	name    string
	rate    int // calls per second
	trouble trouble
}

// caller makes the calls of one tenant.
type caller struct {
	eng    *engine.Engine
	client *http.Client
	url    string
	tally  *tally
}

var tenants = []tenant{
	{"alpha", 30, flaky},
	{"bravo", 30, slow},
	{"charlie", 30, dying},
	{"delta", 3 * limit, healthy}, // greedy
	{"echo", 30, busy},
}

// numberOf is the place of the tenant with this name.
func numberOf(name string) int {
	return slices.IndexFunc(tenants, func(t tenant) bool { return t.name == name })
}

// send starts calls at the tenant's rate until ctx ends, and returns when the last call has ended.
// No call is held up by an earlier call, as in a gateway.
func (t tenant) send(ctx context.Context, by *caller, gaps *rand.Rand) error {
	mean := time.Second / time.Duration(t.rate)
	next := time.Now()
	var calls errgroup.Group // each ends when ctx does
	for {
		next = next.Add(mean/2 + upTo(gaps, mean))
		select {
		case <-time.After(time.Until(next)):
			calls.Go(func() error { by.call(ctx, t.name); return nil })
		case <-ctx.Done():
			return calls.Wait()
		}
	}
}

// call makes one call through the engine and counts its end.
func (c *caller) call(ctx context.Context, key string) {
	began, attempts := time.Now(), 0
	patience, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	_, err := engine.Do(patience, c.eng, key, func(ctx context.Context) (string, error) {
		attempts++
		return fetch(ctx, c.client, c.url)
	})
	if err != nil && ctx.Err() != nil {
		c.tally.add(unfinished, attempts, 0)
		return
	}
	c.tally.add(judge(err, attempts), attempts, time.Since(began))
}

// ending is how a call ended.
type ending uint8

const (
	answered   ending = iota
	limited           // by the limiter; the server never saw the call
	refused           // by the breaker; the server never saw the call
	failed            // the server saw the call, and all attempts failed
	unfinished        // when the run ended
	endings           // how many there are
)

func judge(err error, attempts int) ending {
	switch {
	case err == nil:
		return answered
	case attempts > 0:
		return failed
	case errors.Is(err, breaker.ErrOpen):
		return refused
	case errors.Is(err, limiter.ErrLimited):
		return limited
	default:
		return failed
	}
}

// tally counts a tenant's calls. Any goroutine may add a call.
type tally struct {
	mu       sync.Mutex
	ended    [endings]int
	attempts int
	took     []time.Duration // of the calls that were answered
}

func (t *tally) add(e ending, attempts int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended[e]++
	if e == unfinished {
		return
	}
	t.attempts += attempts
	if e == answered {
		t.took = append(t.took, took)
	}
}

// calls is how many calls have ended by themselves.
func (t *tally) calls() int {
	return t.ended[answered] + t.ended[limited] + t.ended[refused] + t.ended[failed]
}

// answered is how many calls have been answered so far.
func (t *tally) answered() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended[answered]
}

// percentile is the time within which p per cent of the calls in took were answered (nearest rank),
// or 0 without calls.
func percentile(took []time.Duration, p int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}
