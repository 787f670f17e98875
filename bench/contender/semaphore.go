package contender

import "context"

// perKeySemaphore is the per-key mutex with a channel of capacity 1 in place of the mutex: a lock that callers can stop
// waiting for, which is what a sceptic holds against actors.
func perKeySemaphore() Contender {
	return model("per-key-semaphore", whatModelsCannot, func(s Settings) Guard {
		return &semaphoreGuard{rules: newRules(s)}
	})
}

type semaphoreGuard struct {
	partial
	rules rules
	keys  syncMap[*semaphoreState]
}

type semaphoreState struct {
	lock chan struct{} // full while somebody holds the state
	state
}

func (g *semaphoreGuard) find(key string) *semaphoreState {
	s, ok := g.keys.Load(key)
	if !ok {
		s, _ = g.keys.LoadOrStore(key, &semaphoreState{lock: make(chan struct{}, 1)})
	}
	return s
}

func (g *semaphoreGuard) Allow(key Key) bool {
	s := g.find(key.Name)
	s.lock <- struct{}{}
	ok := s.take(&g.rules, g.rules.now())
	<-s.lock
	return ok
}

func (g *semaphoreGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	err := g.attempt(ctx, key.Name, fn)
	if err == nil || refused(err) {
		return err
	}
	return g.rules.again(ctx, err, func() error { return g.attempt(ctx, key.Name, fn) })
}

func (g *semaphoreGuard) attempt(ctx context.Context, key string, fn func(context.Context) error) error {
	s := g.find(key)
	select {
	case s.lock <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	generation, err := s.admit(&g.rules, g.rules.now())
	<-s.lock
	if err != nil {
		return err
	}
	o := failure
	defer func() {
		s.lock <- struct{}{} // an outcome is not given up
		s.report(&g.rules, generation, o)
		<-s.lock
	}()
	err = fn(ctx)
	o = judge(ctx, err)
	return err
}
