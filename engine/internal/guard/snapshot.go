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
	OpenFor  time.Duration
	Limits   []limiter.Status
	Waiting  int
}

// Glance fills in to from a shared gate whose breaker is clean, and returns false if the actor has
// to be asked.
func (b *Behavior) Glance(clock *System, g *Gate, to *Snapshot) bool {
	fullAt := g.fullAt.Load()
	if fullAt < 0 {
		return false
	}
	now := clock.Now()
	// At this moment the breaker is clean. If full-at is the same behind this moment, no token has been
	// taken since the clock was read.
	if g.Reports() || g.fullAt.Load() != fullAt {
		return false
	}
	fullAts := [1]int64{fullAt}
	b.describe(now, &State{fullAts: fullAts[:]}, to)
	return true
}

// describe fills in to.
func (b *Behavior) describe(now int64, s *State, to *Snapshot) {
	limits := b.policy.Limits
	tail, tokens := s.fullAts, int64(0)
	if s.queue != nil {
		tail, tokens, to.Waiting = s.queue.tail(limits, s.fullAts, now), s.queue.tokens, s.queue.waiters
	}
	for i := range limits {
		to.Limits = append(to.Limits, limits.Status(i, s.fullAts, tail, now, tokens))
	}
	state, failures, openFor := s.circuit.Look(b.policy.rules, now)
	to.Breaker, to.Failures, to.OpenFor = state, failures, time.Duration(openFor)
}
