package guard

import (
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// Snapshot describes a key at one instant; see engine.Snapshot.
type Snapshot struct {
	Key      string
	Breaker  breaker.State
	Failures int
	Window   breaker.Counts
	OpenFor  time.Duration
	Forced   bool
	Limits   []limiter.Status
	Waiting  int
	InFlight int
}

// Glance fills in to from a shared gate whose breaker is clean, and returns false if the actor has
// to be asked.
func (b *Behavior) Glance(clock *System, g *Gate, to *Snapshot) bool {
	p := g.Policy()
	generation, fullAt := g.generation.Load(), g.fullAt.Load()
	if fullAt < 0 || g.Reports() {
		return false
	}
	now := clock.Now()
	// If the gate is as it was before the clock was read, no token has been taken and no failure counted
	// in between. A Reset may leave full-at where it was, but begins a new generation.
	if g.Reports() || g.fullAt.Load() != fullAt || g.generation.Load() != generation || !g.Follows(p) || p.Stale() {
		return false
	}
	fullAts := [1]int64{fullAt}
	b.describe(now, g, &State{policy: p, fullAts: fullAts[:]}, to)
	return true
}

// describe fills in to.
func (b *Behavior) describe(now int64, g *Gate, s *State, to *Snapshot) {
	limits := s.policy.Limits
	tail, tokens := s.fullAts, int64(0)
	if s.queue != nil {
		tail, tokens, to.Waiting = s.queue.tail(limits, s.fullAts, now), s.queue.tokens, s.Waiters()
	}
	to.InFlight = g.InFlight()
	for i := range limits {
		to.Limits = append(to.Limits, limits.Status(i, s.fullAts, tail, now, tokens))
	}
	to.Window = s.window(now)
	state, failures, openFor := s.look(now)
	to.Breaker, to.Failures, to.OpenFor, to.Forced = state, failures, time.Duration(openFor), s.forced != nil
}
