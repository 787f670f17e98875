package contender

import (
	"context"

	"go.uber.org/ratelimit"
)

// uberRatelimit is go.uber.org/ratelimit, a limiter for each key in a sync.Map. Its slack is such that it makes up for a
// bucket's worth.
func uberRatelimit() Contender {
	return Contender{
		Name: "uber-ratelimit", Kind: Peer, Does: Limits | Waits, Algorithm: Pacer,
		Cannot: "no breaker, no retries; keys are never evicted; it cannot refuse, it only waits, and the wait cannot be " +
			"cancelled; a new key starts without a burst; it reads the wall clock, which can be set",
		New: func(s Settings) (Guard, error) { return &uberGuard{settings: s}, nil },
	}
}

type uberGuard struct {
	partial
	settings Settings
	keys     syncMap[ratelimit.Limiter]
}

func (g *uberGuard) find(key string) ratelimit.Limiter {
	l, ok := g.keys.Load(key)
	if !ok {
		l, _ = g.keys.LoadOrStore(key, ratelimit.New(1,
			ratelimit.Per(g.settings.Interval), ratelimit.WithSlack(g.settings.Capacity-1)))
	}
	return l
}

// Allow blocks until the call may go.
func (g *uberGuard) Allow(key Key) bool {
	g.find(key.Name).Take()
	return true
}

func (g *uberGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	g.find(key.Name).Take()
	return fn(ctx)
}

func (g *uberGuard) Wait(_ context.Context, key Key) error {
	g.find(key.Name).Take()
	return nil
}
