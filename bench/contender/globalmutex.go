package contender

import (
	"context"
	"sync"
)

// globalMutex is one mutex around one map of all keys.
func globalMutex() Contender {
	return model("global-mutex", whatModelsCannot, func(s Settings) Guard {
		return &globalGuard{rules: newRules(s), keys: map[string]*state{}}
	})
}

type globalGuard struct {
	partial
	rules rules
	mu    sync.Mutex
	keys  map[string]*state
}

// find returns the state of key. The caller holds mu.
func (g *globalGuard) find(key string) *state {
	s := g.keys[key]
	if s == nil {
		s = new(state)
		g.keys[key] = s
	}
	return s
}

func (g *globalGuard) Allow(key Key) bool {
	g.mu.Lock()
	ok := g.find(key.Name).take(&g.rules, g.rules.now())
	g.mu.Unlock()
	return ok
}

func (g *globalGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	err := g.attempt(ctx, key.Name, fn)
	if err == nil || refused(err) {
		return err
	}
	return g.rules.again(ctx, err, func() error { return g.attempt(ctx, key.Name, fn) })
}

func (g *globalGuard) attempt(ctx context.Context, key string, fn func(context.Context) error) error {
	g.mu.Lock()
	s := g.find(key)
	generation, err := s.admit(&g.rules, g.rules.now())
	g.mu.Unlock()
	if err != nil {
		return err
	}
	o := failure
	defer func() {
		g.mu.Lock()
		s.report(&g.rules, generation, o)
		g.mu.Unlock()
	}()
	err = fn(ctx)
	o = judge(ctx, err)
	return err
}
