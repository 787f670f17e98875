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

func (g *perKeyGuard) Allow(key Key) bool { return g.find(key.Name).allow(&g.rules) }

func (g *perKeyGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	return g.find(key.Name).run(ctx, &g.rules, fn)
}

func (s *lockedState) allow(r *rules) bool {
	reading := r.now()
	s.mu.Lock()
	ok := s.take(r, reading) || s.take(r, r.now())
	s.mu.Unlock()
	return ok
}

func (s *lockedState) run(ctx context.Context, r *rules, fn func(context.Context) error) error {
	err := s.attempt(ctx, r, fn)
	if err == nil || refused(err) {
		return err
	}
	return r.again(ctx, err, func() error { return s.attempt(ctx, r, fn) })
}

func (s *lockedState) attempt(ctx context.Context, r *rules, fn func(context.Context) error) error {
	reading := r.now()
	s.mu.Lock()
	generation, err := s.admit(r, reading)
	if err != nil {
		generation, err = s.admit(r, r.now())
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	o := failure
	defer func() {
		s.mu.Lock()
		s.report(r, generation, o)
		s.mu.Unlock()
	}()
	err = fn(ctx)
	o = judge(ctx, err)
	return err
}

// perKeyMutexInHand is a mutex for every key, of which the caller keeps a pointer: nothing is looked up.
func perKeyMutexInHand() Contender {
	c := model("per-key-mutex-handle", whatModelsCannot+"; a lock cannot be given up waiting for; the key must be known before the call",
		func(s Settings) Guard {
			g := &inHandGuard{rules: newRules(s), states: make([]*lockedState, s.Keys.Len())}
			for i := range g.states {
				g.states[i] = new(lockedState)
			}
			return g
		})
	c.KnownKeys = true
	return c
}

type inHandGuard struct {
	partial
	rules  rules
	states []*lockedState
}

func (g *inHandGuard) Allow(key Key) bool { return g.states[key.Slot].allow(&g.rules) }

func (g *inHandGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	return g.states[key.Slot].run(ctx, &g.rules, fn)
}
