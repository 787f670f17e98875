package guard

import (
	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
)

// Retire reports whether the bucket behind the gate is full and no token has been taken since
// unused. If Retire returns true, it has marked the gate retired. Without a limit full-at is the time
// of the key's last use, to within Policy.Coarse. A key with calls in flight does not go.
func (b *Behavior) Retire(unused int64, g *Gate) (ok bool) {
	if b.undated(g) {
		return false
	}
	if !g.vacate() {
		return false
	}
	if ok = b.retire(unused, g); !ok {
		g.stay()
	}
	return ok
}

// retire is Retire but for the places.
func (b *Behavior) retire(unused int64, g *Gate) bool {
	fullAt := g.fullAt.Load()
	if fullAt < 0 { // only the actor has moved full-at, and the actor's last word on it holds
		g.fullAt.Store(retired)
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
	if b.undated(g) {
		return actors.Never
	}
	if g.putAside() {
		return actors.Never
	}
	fullAt := g.fullAt.Load()
	if s == nil {
		return min(fullAt, open-1)
	}
	if s.forced != nil && !Planted("a forced key that is spilled") {
		return actors.Never
	}
	if s.queue != nil || s.circuit.LeaseEnds() != actors.Never {
		return actors.Never
	}
	if at := s.circuit.ProbeAt(); at > 0 {
		return open + min(at, open-2)
	}
	if fullAt < 0 {
		fullAt = s.policy.Limits.FullAt(s.fullAts)
	}
	return min(fullAt, open-1)
}

// LetGo implements [actors.Holder]: a call may have taken a place since SpillRank.
func (b *Behavior) LetGo(g *Gate) bool { return g.vacate() }

var _ actors.Holder[Gate] = (*Behavior)(nil)

// Spill writes the key's debt into the sketch, and marks the gate retired. The refusal of an open
// breaker goes after that, so that a call that still finds the refusal was here before.
func (b *Behavior) Spill(key string, g *Gate, s *State) {
	b.census.spill(key)
	if Planted("a breaker that a spill closes") && s != nil {
		s.circuit = breaker.Circuit{}
	}
	p := g.posted.Load().policy
	fullAt := g.fullAt.Swap(retired)
	g.posted.Store(&p.clean)
	var open remnant
	fullAts := b.newborns(1)
	if s != nil {
		fullAts, open = s.fullAts, s.remnant()
	}
	if p.Stale() && !b.current.Load().template.Breaks() { // the breaker is off now
		open = remnant{}
	}
	if fullAt >= 0 {
		fullAts[0] = fullAt
	}
	b.sketch.spill(key, fullAts[:len(p.Limits)], open, p.Stale())
}

// remnant returns the memory of the breaker of s. The growth of a closed breaker is lost
// like its failures: only open breakers are remembered.
func (s *State) remnant() remnant {
	at := s.circuit.ProbeAt()
	if at == 0 {
		return remnant{}
	}
	if Planted("a spill that forgets the growth") {
		return remnant{probeAt: at}
	}
	return remnant{at, s.circuit.Growth()}
}

// reopen makes the breaker of s, by p, from the remnant of a spilled breaker.
func (s *State) reopen(p *Policy, generation uint64, left remnant) {
	s.circuit.Reopen(p.rules, generation, left.probeAt)
	s.circuit.Grow(p.rules, left.growth)
}

// Stale reports whether [Behavior.Update] has something to do for a key that goes on without an actor: whether a
// version is in force that gives the key its policy, or the key's tally is over. If the key has limits of its
// own, only a caller can ask which.
func (b *Behavior) Stale(now int64, g *Gate) bool {
	n := g.posted.Load()
	if n.tally != nil && n.tally.Over(n.policy.rules, now) {
		return true
	}
	for v := n.policy.version.next.Load(); v != nil && v.how().was == nil; v = v.next.Load() {
		if v.shared != nil {
			return true
		}
	}
	return false
}

// Update has a key without an actor follow the newest version that gives the key its policy, and drops a tally
// that is over.
func (b *Behavior) Update(now int64, g *Gate, s *State) actors.Next {
	if s.policy.shares {
		g.own(s)
	}
	now = b.adopt(now, s, nil, false)
	b.lapse(now, s)
	s.circuit.Rest(s.policy.rules, now)
	return b.next(now, g, s, nil)
}

// Pardon has the sketch forget all of key. The caller holds the lock of births.
func (b *Behavior) Pardon(key string) { b.sketch.pardon(key) }

// Sketched returns the number of keys that began with less than a new key has, and the share of the
// sketch's cells that hold an instant after now, of the limit with the largest share.
func (b *Behavior) Sketched(now int64) (hits uint64, load float64) {
	return b.sketch.counted(now, b.current.Load().fillsWithin())
}

// ForgetLimits takes note that the limits of key, which is not known, change as of the instant at. The
// caller holds the lock of births.
func (b *Behavior) ForgetLimits(key string, at int64) {
	b.sketch.forgetLimits(key, at, b.current.Load().fillsWithin())
}
