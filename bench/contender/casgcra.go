package contender

import (
	"context"
	"sync/atomic"
)

// casGCRA keeps bucket and breaker of a key in one atomic word each, moved by compare-and-swap.
func casGCRA() Contender {
	return model("cas-gcra", whatModelsCannot+"; breaker and bucket are not decided in one step, so that a call may take a "+
		"token and the breaker open before it runs, and a failure from before a whole cycle of the breaker is counted after it",
		func(s Settings) Guard { return &casGuard{rules: newRules(s)} })
}

type casGuard struct {
	partial
	rules rules
	keys  syncMap[*casState]
}

type casState struct {
	full atomic.Int64 // the instant at which the bucket is full again
	// circuit is the number of failures in a row while the breaker is closed, probeOut while a probe is out, and else less
	// than that: minus the instant from which a probe may go, less 2.
	circuit atomic.Int64
	_       [64 - 16]byte
}

const probeOut = -1

func (g *casGuard) find(key string) *casState {
	s, ok := g.keys.Load(key)
	if !ok {
		s, _ = g.keys.LoadOrStore(key, new(casState))
	}
	return s
}

func (s *casState) take(r *rules) bool {
	for r.burst > 0 {
		now := r.now() // before the load, so that a lost race makes it stricter, never looser
		old := s.full.Load()
		full := max(old, now) + r.interval
		if full-now > r.burst {
			return false
		}
		if s.full.CompareAndSwap(old, full) {
			return true
		}
	}
	return true // no limiter
}

func (g *casGuard) Allow(key Key) bool { return g.find(key.Name).take(&g.rules) }

func (g *casGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	err := g.attempt(ctx, key.Name, fn)
	if err == nil || refused(err) {
		return err
	}
	return g.rules.again(ctx, err, func() error { return g.attempt(ctx, key.Name, fn) })
}

func (g *casGuard) attempt(ctx context.Context, key string, fn func(context.Context) error) error {
	s := g.find(key)
	circuit := s.circuit.Load()
	if circuit < 0 {
		opens := -circuit - 2
		if circuit == probeOut || g.rules.now() < opens || !s.circuit.CompareAndSwap(circuit, probeOut) {
			return ErrOpen
		}
	}
	probe := circuit < 0
	if !s.take(&g.rules) {
		if probe {
			s.circuit.Store(circuit) // its place goes back
		}
		return ErrLimited
	}
	o := failure
	defer func() {
		if probe {
			s.reportProbe(&g.rules, circuit, o)
		} else {
			s.report(&g.rules, o)
		}
	}()
	err := fn(ctx)
	o = judge(ctx, err)
	return err
}

// report counts the outcome of a call that was admitted while the breaker was closed, if it still is.
func (s *casState) report(r *rules, o outcome) {
	for {
		failures := s.circuit.Load()
		next := failures + 1
		switch {
		case failures < 0 || o == ignored || o == success && failures == 0:
			return
		case o == success:
			next = 0
		case next >= int64(r.threshold):
			next = -(r.now() + r.recovery) - 2
		}
		if s.circuit.CompareAndSwap(failures, next) {
			return
		}
	}
}

// reportProbe ends a probe, which nobody else can; before is the word that it found.
func (s *casState) reportProbe(r *rules, before int64, o outcome) {
	switch o {
	case success:
		s.circuit.Store(0)
	case ignored:
		s.circuit.Store(before)
	default:
		s.circuit.Store(-(r.now() + r.recovery) - 2)
	}
}
