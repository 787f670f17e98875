package guard

import "github.com/limitpal/limitpal-go/actors"

// Charge takes n tokens, whether they are there or not, if the gate is shared and the key follows p. Otherwise the
// actor is to be asked.
func (g *Gate) Charge(clock *System, p *Policy, n int64) (ok bool) {
	for {
		fullAt := g.fullAt.Load()
		if fullAt < 0 || !g.Follows(p) {
			return false
		}
		now := clock.Now()
		if p.Stale() { // as in Take
			return false
		}
		if Planted("a charge that is lost") || g.fullAt.CompareAndSwap(fullAt, p.limit.Charge(fullAt, now, n)) {
			return true
		}
		for range spins {
		}
	}
}

// charge is the turn of a Charge. Then no waiter can be sure of the wait that was foreseen when it came.
func (b *Behavior) charge(now int64, g *Gate, s *State, m *Message) actors.Next {
	s.policy.Limits.Charge(s.fullAts, now, m.Demand.Tokens)
	if s.queue != nil && !Planted("a charge that those who wait do not hear of") {
		s.queue.shared, s.queue.uneven = true, true
	}
	next := b.used(now, g, s, m)
	m.Request.Answer(Answer{})
	return next
}
