package contender

import (
	"context"

	"golang.org/x/time/rate"
)

// xTimeRate is golang.org/x/time/rate, a limiter for each key in a sync.Map.
func xTimeRate() Contender {
	return Contender{
		Name: "x-time-rate", Kind: Peer, Does: Limits | Refuses | Waits, Algorithm: TokenBucket,
		Cannot: "no breaker, no retries; keys are never evicted; it reads the clock before its lock and lets time run back, " +
			"so that it admits a multiple of its limit on a busy machine",
		Limited: ErrLimited,
		New:     func(s Settings) (Guard, error) { return &xTimeRateGuard{settings: s}, nil },
	}
}

type xTimeRateGuard struct {
	partial
	settings Settings
	keys     syncMap[*rate.Limiter]
}

func (g *xTimeRateGuard) find(key string) *rate.Limiter {
	l, ok := g.keys.Load(key)
	if !ok {
		l, _ = g.keys.LoadOrStore(key, rate.NewLimiter(rate.Every(g.settings.Interval), g.settings.Capacity))
	}
	return l
}

func (g *xTimeRateGuard) Allow(key Key) bool { return g.find(key.Name).Allow() }

func (g *xTimeRateGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	if !g.find(key.Name).Allow() {
		return ErrLimited
	}
	return fn(ctx)
}

func (g *xTimeRateGuard) Wait(ctx context.Context, key Key) error { return g.find(key.Name).Wait(ctx) }
