package contender

import (
	"context"
	"errors"

	"github.com/cenkalti/backoff/v5"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
)

// tower is what users write by hand: backoff around gobreaker around x/time/rate around the call, for each key in a
// sync.Map.
func tower() Contender {
	return Contender{
		Name: "tower", Kind: Peer, Does: Pipeline | Waits | Panics, Algorithm: TokenBucket, Heavy: true,
		Cannot: "keys are never evicted; a probe that hangs keeps the breaker shut; its limiter admits a multiple of its limit " +
			"on a busy machine",
		Limited: ErrLimited, Open: []error{gobreaker.ErrOpenState, gobreaker.ErrTooManyRequests},
		New: func(s Settings) (Guard, error) { return &towerGuard{settings: s}, nil },
	}
}

type towerGuard struct {
	partial
	settings Settings
	keys     syncMap[*towerKey]
}

type towerKey struct {
	limiter *rate.Limiter
	breaker *gobreaker.CircuitBreaker[struct{}]
}

func (g *towerGuard) find(key string) *towerKey {
	k, ok := g.keys.Load(key)
	if !ok {
		k, _ = g.keys.LoadOrStore(key, &towerKey{
			limiter: rate.NewLimiter(rate.Every(g.settings.Interval), g.settings.Capacity),
			breaker: newGoBreaker(g.settings, func(err error) bool { return cancelled(err) || errors.Is(err, ErrLimited) }),
		})
	}
	return k
}

func (g *towerGuard) Allow(key Key) bool { return g.find(key.Name).limiter.Allow() }

func (g *towerGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	k := g.find(key.Name)
	call := func() (struct{}, error) { //nolint:unparam // Execute demands the first result
		if g.settings.Capacity > 0 && !k.limiter.Allow() {
			return struct{}{}, ErrLimited
		}
		return struct{}{}, fn(ctx)
	}
	attempt := func() (struct{}, error) {
		_, err := k.breaker.Execute(call)
		if err != nil && (errors.Is(err, ErrLimited) || errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}
	_, err := backoff.Retry(ctx, attempt,
		backoff.WithBackOff(&backoff.ExponentialBackOff{
			InitialInterval: g.settings.BaseDelay, Multiplier: 2, MaxInterval: 1 << 20 * g.settings.BaseDelay,
		}),
		backoff.WithMaxTries(uint(max(1, g.settings.Attempts))))
	return err
}

func (g *towerGuard) Wait(ctx context.Context, key Key) error {
	return g.find(key.Name).limiter.Wait(ctx)
}
