package contender

import (
	"context"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// engineMailbox is this module's engine with every decision a message to the key's actor.
func engineMailbox() Contender {
	c := ours("engine-mailbox", engine.Mailbox, newEngineGuard)
	c.Heavy = true
	c.Cannot = "a goroutine for every key in use"
	return c
}

// enginePublished is this module's engine as it comes.
func enginePublished() Contender { return ours("engine-published", engine.Published, newEngineGuard) }

// engineHandle is the same, with a handle for each key in place of the lookup.
func engineHandle() Contender {
	c := ours("engine-handle", engine.Published, func(e *engine.Engine, s Settings) Guard {
		g := &handleGuard{eng: e, keys: make([]engine.Key, s.Keys.Len())}
		for i := range g.keys {
			g.keys[i] = e.Key(s.Keys.At(i).Name)
		}
		return g
	})
	c.Cannot = "the key must be known before the call"
	c.KnownKeys = true
	return c
}

func ours(name string, d engine.Dispatch, guard func(*engine.Engine, Settings) Guard) Contender {
	return Contender{
		Name: name, Kind: Ours, Does: Pipeline | Waits | Panics, Algorithm: TokenBucket,
		Limited: limiter.ErrLimited, Open: []error{breaker.ErrOpen},
		New: func(s Settings) (Guard, error) {
			cfg := engine.Config{
				Breaker: &breaker.Policy{
					FailureThreshold: s.FailureThreshold, RecoveryTimeout: s.RecoveryTimeout,
					ForgetAfter: 24*time.Hour + s.RecoveryTimeout, // the others never forget
				},
				MaxQueue: 1 << 20, // the others' queues have no bound
				Dispatch: d,
			}
			if s.Capacity > 0 {
				cfg.Limiter = limiter.TokenBucket{Capacity: s.Capacity, RefillRate: limiter.Per(1, s.Interval)}
			}
			if s.Attempts > 0 {
				cfg.Retry = &retry.Policy{MaxAttempts: s.Attempts, BaseDelay: s.BaseDelay, Jitter: retry.NoJitter}
			}
			if !s.Queue {
				cfg.MaxWait = engine.NoWait
			}
			e, err := engine.New(cfg)
			if err != nil {
				return nil, err
			}
			return guard(e, s), nil
		},
	}
}

type engineGuard struct{ eng *engine.Engine }

func newEngineGuard(e *engine.Engine, _ Settings) Guard { return engineGuard{e} }

func (g engineGuard) Allow(key Key) bool { return g.eng.Allow(key.Name) }

func (g engineGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	return g.eng.Run(ctx, key.Name, fn)
}

func (g engineGuard) Wait(ctx context.Context, key Key) error { return g.eng.Acquire(ctx, key.Name) }

func (g engineGuard) Close() error { return g.eng.Close(context.Background()) }

type handleGuard struct {
	eng  *engine.Engine
	keys []engine.Key
}

func (g *handleGuard) Allow(key Key) bool { return g.keys[key.Slot].Allow() }

func (g *handleGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	return g.keys[key.Slot].Run(ctx, fn)
}

func (g *handleGuard) Wait(ctx context.Context, key Key) error { return g.keys[key.Slot].Acquire(ctx) }

func (g *handleGuard) Close() error { return g.eng.Close(context.Background()) }
