package guard

import (
	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
)

// Retire reports whether the bucket behind the gate is full and no token has been taken since
// unused. If Retire returns true, it has marked the gate retired. Without a limit full-at is the time
// of the key's last use, to within Policy.Coarse.
func (b *Behavior) Retire(unused int64, g *Gate) bool {
	fullAt := g.fullAt.Load()
	if fullAt < 0 { // only the actor has moved full-at, and the actor's last word on it holds
		g.fullAt.Store(retired)
		b.Counters.moved(g.posted.Load().state, breaker.Closed)
		return true
	}
	if Planted("a key that is forgotten whatever it owes") {
		g.fullAt.Store(retired)
		return true
	}
	return fullAt <= unused && g.fullAt.CompareAndSwap(fullAt, retired)
}

// SpillRank ranks keys for being spilled: keys with a closed breaker go first, and among these the
// key whose bucket is full first.
func (b *Behavior) SpillRank(g *Gate, s *State) int64 {
	const open = 1 << 62
	fullAt := g.fullAt.Load()
	if s == nil {
		return min(fullAt, open-1)
	}
	if s.queue != nil || s.circuit.LeaseEnds() != actors.Never {
		return actors.Never
	}
	if at := s.circuit.ProbeAt(b.policy.rules); at > 0 {
		return open + min(at, open-2)
	}
	if fullAt < 0 {
		fullAt = b.policy.Limits.FullAt(s.fullAts)
	}
	return min(fullAt, open-1)
}

// Spill writes the key's debt into the sketch, and marks the gate retired. The refusal of an open
// breaker goes after that, so that a call that still finds the refusal was here before.
func (b *Behavior) Spill(key string, g *Gate, s *State) {
	b.census.spill(key)
	if Planted("a breaker that a spill closes") && s != nil {
		s.circuit = breaker.Circuit{}
	}
	fullAt := g.fullAt.Swap(retired)
	b.Counters.moved(g.posted.Swap(b.policy.clean).state, breaker.Closed)
	if s == nil {
		b.newborn[0] = fullAt
		b.sketch.spill(key, b.newborn, 0)
		return
	}
	if fullAt >= 0 {
		s.fullAts[0] = fullAt
	}
	b.sketch.spill(key, s.fullAts, s.circuit.ProbeAt(b.policy.rules))
}

// Pardon has the sketch forget what it remembers of key. The caller holds the lock of births.
func (b *Behavior) Pardon(key string) { b.sketch.pardon(key) }

// Sketched returns the number of keys that began with less than a new key has, and the share of the
// sketch's cells that hold an instant after now, of the limit with the largest share.
func (b *Behavior) Sketched(now int64) (hits uint64, load float64) { return b.sketch.counted(now) }
