package cookbook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// apiClient returns a client for the APIs of others: each host has a breaker of its own, and requests that may be
// repeated are repeated.
func apiClient() (*http.Client, error) {
	hosts, err := engine.New(engine.Config{
		Name:    "hosts",
		Breaker: &breaker.Policy{FailureRate: 0.5, MaxRecovery: time.Minute},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: 100 * time.Millisecond},
	})
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &enginehttp.Transport{Engine: hosts, AttemptTimeout: 2 * time.Second}}, nil
}

// providersQuota keeps to a provider's quota of 50 calls a second, and 100,000 a day from midnight UTC. Calls wait for up
// to a second for their turn.
func providersQuota() (*engine.Engine, error) {
	return engine.New(engine.Config{
		Name: "geocoder",
		Limiter: limiter.All(
			limiter.TokenBucket{Capacity: 50, RefillRate: limiter.PerSecond(50)},
			limiter.FixedWindow{Max: 100_000, Per: 24 * time.Hour},
		),
		MaxWait: time.Second,
	})
}

// database guards queries: one that takes long is given up, and a database that has become slow gets a rest. sql.DB
// itself bounds the queries at a time (SetMaxOpenConns).
func database() (*engine.Engine, error) {
	return engine.New(engine.Config{
		Name:           "database",
		AttemptTimeout: 3 * time.Second,
		Breaker:        &breaker.Policy{SlowRate: 0.5, SlowAfter: time.Second, FailureRate: 0.5},
		Classify: func(err error) engine.Outcome {
			if errors.Is(err, sql.ErrNoRows) {
				return engine.Success // the database has answered
			}
			return engine.Failure
		},
	})
}

// nameOf looks up a user, and falls back to a cache.
func nameOf(ctx context.Context, db *engine.Engine, query func(context.Context, int) (string, error), cache map[int]string, id int) (string, error) {
	name, err := engine.Do(ctx, db, "users", func(ctx context.Context) (string, error) { return query(ctx, id) })
	if cached, ok := cache[id]; err != nil && ok {
		return cached, nil // a fallback is plain Go
	}
	return name, err
}

// webhooks delivers events: the endpoint of each customer has a breaker of its own, and a delivery has five attempts.
func webhooks() (*engine.Engine, error) {
	return engine.New(engine.Config{
		Name:    "webhooks",
		Breaker: &breaker.Policy{MaxRecovery: time.Hour},
		Retry:   &retry.Policy{MaxAttempts: 5, BaseDelay: time.Second, MaxDelay: time.Minute},
	})
}

// deliver tells the receiver the number of the attempt, and does not try an endpoint again that has gone.
func deliver(ctx context.Context, webhooks *engine.Engine, customer string, post func(ctx context.Context, attempt int) (int, error)) error {
	return webhooks.Run(ctx, customer, func(ctx context.Context) error {
		status, err := post(ctx, engine.AttemptOf(ctx).Number)
		switch {
		case err != nil:
			return err
		case status == http.StatusGone:
			return retry.Permanent(errors.New("the endpoint has gone"))
		case status >= 500:
			return fmt.Errorf("status %d", status)
		}
		return nil
	})
}

// fanOut asks all replicas, each behind its own breaker, and takes the first answer.
func fanOut(ctx context.Context, replicas *engine.Engine, names []string, ask func(ctx context.Context, replica string) (string, error)) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the others need not answer any more
	answers := make(chan engine.Result[string], len(names))
	for _, name := range names {
		go func() { // ends with its call
			v, err := engine.Do(ctx, replicas, name, func(ctx context.Context) (string, error) { return ask(ctx, name) })
			answers <- engine.Result[string]{Value: v, Err: err}
		}()
	}
	var errs []error
	for range names {
		a := <-answers
		if a.Err == nil {
			return a.Value, nil
		}
		errs = append(errs, a.Err)
	}
	return "", errors.Join(errs...)
}
