package contender

import (
	"context"

	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
)

// throttledGCRA is github.com/throttled/throttled with its store in memory, keys unlimited.
func throttledGCRA() Contender {
	return Contender{
		Name: "throttled", Kind: Peer, Does: Limits | Refuses, Algorithm: TokenBucket,
		Cannot: "no breaker, no retries, no waiting; keys are never evicted; it reads the wall clock, which can be set; by " +
			"default a call that loses ten compare-and-swaps in a row gets an error, which happens on one hot key, so that it " +
			"is told here to go on",
		Limited: ErrLimited,
		New: func(s Settings) (Guard, error) {
			store, err := memstore.NewCtx(0)
			if err != nil {
				return nil, err
			}
			limiter, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{
				MaxRate:  throttled.PerDuration(1, s.Interval),
				MaxBurst: s.Capacity - 1,
			})
			if err != nil {
				return nil, err
			}
			limiter.SetMaxCASAttemptsLimit(1 << 30)
			return &throttledGuard{limiter: limiter}, nil
		},
	}
}

type throttledGuard struct {
	partial
	limiter *throttled.GCRARateLimiterCtx
}

func (g *throttledGuard) Allow(key Key) bool {
	limited, _, err := g.limiter.RateLimitCtx(context.Background(), key.Name, 1)
	return !limited && err == nil
}

func (g *throttledGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	limited, _, err := g.limiter.RateLimitCtx(ctx, key.Name, 1)
	switch {
	case err != nil:
		return err
	case limited:
		return ErrLimited
	default:
		return fn(ctx)
	}
}
