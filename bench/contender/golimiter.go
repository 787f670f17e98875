package contender

import (
	"context"
	"time"

	"github.com/sethvargo/go-limiter"
	"github.com/sethvargo/go-limiter/memorystore"
)

// goLimiter is github.com/sethvargo/go-limiter with its own store of keys.
func goLimiter() Contender {
	return Contender{
		Name: "go-limiter", Kind: Peer, Does: Limits | Refuses, Algorithm: Window, RealClock: true,
		Cannot: "no breaker, no retries, no waiting; a fixed window, so that twice the capacity can go around its edge; it reads " +
			"the wall clock; a window refills min(capacity, window in ns / capacity) tokens, so that a window shorter than " +
			"capacity² ns is not refilled, and is stretched here to that",
		Limited: ErrLimited,
		New: func(s Settings) (Guard, error) {
			capacity := time.Duration(s.Capacity)
			store, err := memorystore.New(&memorystore.Config{
				Tokens:        uint64(s.Capacity),
				Interval:      capacity * max(s.Interval, capacity),
				SweepInterval: 24 * time.Hour,
				SweepMinTTL:   24 * time.Hour,
				InitialAlloc:  s.Keys.Len(),
			})
			if err != nil {
				return nil, err
			}
			return &goLimiterGuard{store: store}, nil
		},
	}
}

type goLimiterGuard struct {
	partial
	store limiter.Store
}

func (g *goLimiterGuard) Allow(key Key) bool {
	_, _, _, ok, err := g.store.Take(context.Background(), key.Name)
	return ok && err == nil
}

func (g *goLimiterGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	_, _, _, ok, err := g.store.Take(ctx, key.Name)
	switch {
	case err != nil:
		return err
	case !ok:
		return ErrLimited
	default:
		return fn(ctx)
	}
}

func (g *goLimiterGuard) Close() error { return g.store.Close(context.Background()) }
