package contender

import (
	"context"
	"errors"

	"github.com/sony/gobreaker/v2"
)

// goBreaker is github.com/sony/gobreaker, a breaker for each key in a sync.Map.
func goBreaker() Contender {
	return Contender{
		Name: "gobreaker", Kind: Peer, Does: Breaks | Panics,
		Cannot: "no limiter, no retries; keys are never evicted; a probe that hangs keeps the breaker shut",
		Open:   []error{gobreaker.ErrOpenState, gobreaker.ErrTooManyRequests},
		New:    func(s Settings) (Guard, error) { return &goBreakerGuard{settings: s}, nil },
	}
}

// newGoBreaker opens after failures in a row and closes after one probe. excluded errors count neither way.
func newGoBreaker(s Settings, excluded func(error) bool) *gobreaker.CircuitBreaker[struct{}] {
	return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests: 1,
		Timeout:     s.RecoveryTimeout,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= uint32(s.FailureThreshold) },
		IsExcluded:  excluded,
	})
}

type goBreakerGuard struct {
	partial
	settings Settings
	keys     syncMap[*gobreaker.CircuitBreaker[struct{}]]
}

func (g *goBreakerGuard) find(key string) *gobreaker.CircuitBreaker[struct{}] {
	b, ok := g.keys.Load(key)
	if !ok {
		b, _ = g.keys.LoadOrStore(key, newGoBreaker(g.settings, cancelled))
	}
	return b
}

func cancelled(err error) bool { return errors.Is(err, context.Canceled) }

func (g *goBreakerGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	_, err := g.find(key.Name).Execute(func() (struct{}, error) { return struct{}{}, fn(ctx) })
	return err
}
