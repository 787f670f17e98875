package contender

import (
	"context"
	"hash/maphash"
	"sync"
)

// shardedMutex is 64 maps, each behind a mutex of its own on cache lines of its own; the hash of a key says which.
func shardedMutex() Contender {
	return model("sharded-mutex", whatModelsCannot+"; keys of one shard wait for each other", func(s Settings) Guard {
		g := &shardedGuard{rules: newRules(s), seed: maphash.MakeSeed()}
		for i := range g.shards {
			g.shards[i].keys = map[string]*state{}
		}
		return g
	})
}

const shards = 64

type shardedGuard struct {
	partial
	rules  rules
	seed   maphash.Seed
	_      [64]byte
	shards [shards]shard
}

type shard struct {
	mu   sync.Mutex
	keys map[string]*state
	_    [128 - 16]byte // two cache lines, because processors fetch them in pairs
}

func (g *shardedGuard) shard(key string) *shard {
	return &g.shards[maphash.String(g.seed, key)%shards]
}

// find returns the state of key. The caller holds mu.
func (h *shard) find(key string) *state {
	s := h.keys[key]
	if s == nil {
		s = new(state)
		h.keys[key] = s
	}
	return s
}

func (g *shardedGuard) Allow(key Key) bool {
	h := g.shard(key.Name)
	h.mu.Lock()
	ok := h.find(key.Name).take(&g.rules, g.rules.now())
	h.mu.Unlock()
	return ok
}

func (g *shardedGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	err := g.attempt(ctx, key.Name, fn)
	if err == nil || refused(err) {
		return err
	}
	return g.rules.again(ctx, err, func() error { return g.attempt(ctx, key.Name, fn) })
}

func (g *shardedGuard) attempt(ctx context.Context, key string, fn func(context.Context) error) error {
	h := g.shard(key)
	h.mu.Lock()
	s := h.find(key)
	generation, err := s.admit(&g.rules, g.rules.now())
	h.mu.Unlock()
	if err != nil {
		return err
	}
	o := failure
	defer func() {
		h.mu.Lock()
		s.report(&g.rules, generation, o)
		h.mu.Unlock()
	}()
	err = fn(ctx)
	o = judge(ctx, err)
	return err
}
