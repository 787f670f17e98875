package guard

import (
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// decide answers an Ask, or puts the request into the queue: breaker first, then limits, debit last.
func (b *Behavior) decide(now int64, s *State, m *Message) (a Answer, answered bool) {
	if !m.Stays && m.Request.Left() {
		return Answer{}, false // dropped unprocessed; the caller's CancelWait comes behind
	}
	d, limits := &m.Demand, b.policy.Limits
	under := b.isUnder(now, s, m.Permit)
	if d.Breaker && !under {
		if at := s.circuit.Ready(b.policy.rules, now); at > now {
			return Answer{Err: breaker.ErrOpen, At: max(at, b.readyBehind(now, s, d.Tokens, d.Mode))}, m.claim()
		}
	}
	var at int64
	if s.queue == nil {
		if at = limits.Ready(s.fullAts, now, d.Tokens, d.Mode); at <= now {
			if !m.claim() {
				return Answer{}, false // the caller has left: nothing is taken
			}
			return b.grant(now, now, s, d, under), true
		}
	} else {
		at = b.readyBehind(now, s, d.Tokens, d.Mode)
	}
	if err := b.mayQueue(now, at, s, m); err != nil {
		return Answer{Err: err, At: at}, m.claim()
	}
	if s.queue == nil {
		s.queue = b.newQueue()
	}
	s.queue.push(m, now)
	m.queue = s.queue
	return Answer{}, false
}

// readyBehind returns the instant from which n tokens may be taken behind all waiters.
func (b *Behavior) readyBehind(now int64, s *State, n int64, mode limiter.Mode) int64 {
	limits := b.policy.Limits
	if s.queue == nil {
		return limits.Ready(s.fullAts, now, n, mode)
	}
	return limits.Ready(s.queue.tail(limits, s.fullAts, now), now, n, limiter.Queued)
}

// isUnder reports whether a call made in the function of the probe of permit passes the breaker,
// because the lease of that probe is out. The zero Permit is no probe's.
func (b *Behavior) isUnder(now int64, s *State, permit breaker.Permit) bool {
	return permit.Lease != 0 && s.circuit.Leased(b.policy.rules, now, permit)
}

// mayQueue returns the reason why m may not wait until at, or nil.
func (b *Behavior) mayQueue(now, at int64, s *State, m *Message) error {
	p := b.policy
	var waiters int
	var tokens int64
	if s.queue != nil {
		waiters, tokens = s.queue.waiters, s.queue.tokens
	}
	switch {
	case m.Demand.Stay < 0 || p.NoWait, at-now > p.MaxWait, at >= m.Until:
		return limiter.ErrLimited
	case !p.Limits.HasRoom(s.fullAts, now, tokens, m.Demand.Tokens):
		return limiter.ErrLimited
	case waiters >= p.MaxQueue:
		return ErrQueueFull
	default:
		return nil
	}
}

// grant takes the tokens of d as of the instant due, and a permit of the breaker if d asks the
// breaker and is not under a probe. Tokens and breaker are ready, and the caller is claimed.
func (b *Behavior) grant(now, due int64, s *State, d *Demand, under bool) Answer {
	a := Answer{Under: under}
	if d.Breaker && !under {
		a.Permit = s.circuit.Admit(b.policy.rules, now)
	}
	b.policy.Limits.Debit(s.fullAts, due, d.Tokens)
	return a
}
