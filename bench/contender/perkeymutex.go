package contender

import (
	"context"
	"sync"

	"github.com/puzpuzpuz/xsync/v4"
)

// perKeyMutex is a mutex for every key, found in a sync.Map: what a good engineer writes.
func perKeyMutex() Contender {
	return model("per-key-mutex", whatModelsCannot+"; a lock cannot be given up waiting for", func(s Settings) Guard {
		return &perKeyGuard{rules: newRules(s), keys: new(syncMap[*lockedState])}
	})
}

// perKeyMutexLockFree is the same behind the map that the engine uses, so that the map can be told from the design.
func perKeyMutexLockFree() Contender {
	return model("per-key-mutex-xsync", whatModelsCannot+"; a lock cannot be given up waiting for", func(s Settings) Guard {
		return &perKeyGuard{rules: newRules(s), keys: xsync.NewMap[string, *lockedState]()}
	})
}

// index is a map that any goroutine may use.
type index[V any] interface {
	Load(key string) (V, bool)
	LoadOrStore(key string, v V) (actual V, loaded bool)
}

// syncMap is a sync.Map with types.
type syncMap[V any] struct{ m sync.Map }

func (m *syncMap[V]) Load(key string) (v V, ok bool) {
	found, ok := m.m.Load(key)
	if ok {
		v = found.(V)
	}
	return v, ok
}

func (m *syncMap[V]) LoadOrStore(key string, v V) (V, bool) {
	actual, loaded := m.m.LoadOrStore(key, v)
	return actual.(V), loaded
}

// perKeyGuard reads the clock before it locks, and for a refusal again: the shorter critical section makes admitted calls of
// one hot key faster and refusals slower. The other locks did not gain by it, and read the clock inside.
type perKeyGuard struct {
	partial
	rules rules
	keys  index[*lockedState]
}

type lockedState struct {
	mu sync.Mutex
	state
}

func (g *perKeyGuard) find(key string) *lockedState {
	s, ok := g.keys.Load(key)
	if !ok {
		s, _ = g.keys.LoadOrStore(key, new(lockedState))
	}
	return s
}

func (g *perKeyGuard) Allow(key Key) bool {
	s := g.find(key.Name)
	reading := g.rules.now()
	s.mu.Lock()
	ok := s.take(&g.rules, reading) || s.take(&g.rules, g.rules.now())
	s.mu.Unlock()
	return ok
}

func (g *perKeyGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	err := g.attempt(ctx, key.Name, fn)
	if err == nil || refused(err) {
		return err
	}
	return g.rules.again(ctx, err, func() error { return g.attempt(ctx, key.Name, fn) })
}

func (g *perKeyGuard) attempt(ctx context.Context, key string, fn func(context.Context) error) error {
	s := g.find(key)
	reading := g.rules.now()
	s.mu.Lock()
	generation, err := s.admit(&g.rules, reading)
	if err != nil {
		generation, err = s.admit(&g.rules, g.rules.now())
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	o := failure
	defer func() {
		s.mu.Lock()
		s.report(&g.rules, generation, o)
		s.mu.Unlock()
	}()
	err = fn(ctx)
	o = judge(ctx, err)
	return err
}
