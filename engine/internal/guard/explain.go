package guard

import "github.com/limitpal/limitpal-go/limiter"

// explain answers how a call for the demand of m would fare, and changes nothing: At is the first instant at which
// the key would let the call pass if nothing else came, and Err the reason why it does not now, or nil. The number of
// callers that wait is put into the snapshot of the request.
func (b *Behavior) explain(now int64, g *Gate, s *State, m *Message) Answer {
	d := &m.Demand
	_, waits, err := b.judge(now, s, d, false)
	if err == nil && waits {
		if err = b.mayQueue(now, now, s, m); err == nil {
			err = limiter.ErrLimited // it waits
		}
	}
	full := err == nil && d.Breaker && (!g.free(s.policy) || s.policy.Bounded() && s.queue.lined() > 0)
	m.Request.Snapshot.Waiting = s.Waiters()
	if err == limiter.ErrExceedsCapacity { //nolint:errorlint // never wrapped
		return Answer{Err: err}
	}
	if full {
		return Answer{Err: limiter.ErrInFlight}
	}
	return Answer{Err: err, At: b.earliest(now, s, d, now)}
}

// ExplainUnknown is explain for a key without a cell that would follow p.
func (b *Behavior) ExplainUnknown(now int64, key string, p *Policy, m *Message) Answer {
	s := b.unknown(now, key, p)
	return b.explain(now, bornGate(p), &s, m)
}

// bornGate returns the gate with which a key would begin by p.
func bornGate(p *Policy) *Gate {
	g := new(Gate)
	g.Adopt(p)
	return g
}

// unknown returns the state with which a key without a cell would begin: as new, but for the memory of the sketch.
func (b *Behavior) unknown(now int64, key string, p *Policy) State {
	s := State{policy: p, fullAts: make([]int64, max(1, len(p.Limits)))}
	p.version.bear(s.fullAts, now)
	if left := b.sketch.look(key, p.Limits, s.fullAts); left.probeAt > 0 {
		s.reopen(p, 0, left)
	}
	return s
}
