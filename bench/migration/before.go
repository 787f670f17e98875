package migration

import (
	"context"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
)

// fetch is a call that may fail.
type fetch func(ctx context.Context) (string, error)

// withGobreaker stops calls after five failures in a row, for 10 s.
func withGobreaker() func(ctx context.Context, f fetch) (string, error) {
	b := gobreaker.NewCircuitBreaker[string](gobreaker.Settings{
		Timeout:     10 * time.Second,
		MaxRequests: 1,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 5 },
	})
	return func(ctx context.Context, f fetch) (string, error) {
		return b.Execute(func() (string, error) { return f(ctx) })
	}
}

// withRate limits each user to 10 calls a second.
func withRate() (allow func(user string) bool, wait func(ctx context.Context, user string) error) {
	var mu sync.Mutex
	users := map[string]*rate.Limiter{} // grows for ever
	of := func(user string) *rate.Limiter {
		mu.Lock()
		defer mu.Unlock()
		l, ok := users[user]
		if !ok {
			l = rate.NewLimiter(10, 20)
			users[user] = l
		}
		return l
	}
	return func(user string) bool { return of(user).Allow() },
		func(ctx context.Context, user string) error { return of(user).Wait(ctx) }
}

// withFailsafe retries twice around a breaker that opens when half of at least 20 calls in 10 s fail.
func withFailsafe() func(ctx context.Context, f fetch) (string, error) {
	breaker := circuitbreaker.NewBuilder[string]().
		WithFailureRateThreshold(0.5, 20, 10*time.Second).
		WithDelay(5 * time.Second).
		WithSuccessThreshold(1).
		Build()
	retries := retrypolicy.NewBuilder[string]().
		AbortOnErrors(circuitbreaker.ErrOpen).
		WithMaxAttempts(3).
		WithBackoff(100*time.Millisecond, time.Second).
		ReturnLastFailure().
		Build()
	guard := failsafe.With[string](retries, breaker)
	return func(ctx context.Context, f fetch) (string, error) {
		return guard.WithContext(ctx).GetWithExecution(func(e failsafe.Execution[string]) (string, error) { return f(e.Context()) })
	}
}

// withBackoff makes up to four attempts, 100 ms apart at first.
func withBackoff() func(ctx context.Context, f fetch) (string, error) {
	return func(ctx context.Context, f fetch) (string, error) {
		return backoff.Retry(ctx, func() (string, error) { return f(ctx) },
			backoff.WithBackOff(&backoff.ExponentialBackOff{InitialInterval: 100 * time.Millisecond, Multiplier: 2, MaxInterval: time.Minute}),
			backoff.WithMaxTries(4))
	}
}
