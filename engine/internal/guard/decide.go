package guard

import (
	"slices"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// decide answers an Ask, or puts the request into the queue: breaker first, then limits, debit last.
func (b *Behavior) decide(now int64, g *Gate, s *State, m *Message) (a Answer, answered bool) {
	if !m.Stays && m.Request.Left() {
		return Answer{}, false // dropped unprocessed; the caller's CancelWait comes behind
	}
	d := &m.Demand
	under := b.isUnder(now, s, m.Permit)
	at, waits, err := b.judge(now, s, d, under)
	if err == nil && waits {
		err = b.mayQueue(now, at, s, m)
	}
	switch {
	case err == limiter.ErrExceedsCapacity: //nolint:errorlint // never wrapped
		return Answer{Err: err}, m.claim() // no retry would be admitted
	case err != nil:
		return Answer{Err: err, At: b.earliest(now, s, d, at)}, m.claim()
	case waits && !s.policy.Shadow:
		if s.queue == nil {
			s.queue = b.newQueue(s.policy)
		}
		s.queue.push(s.policy, s.queue.came(s.policy, m, now))
		m.queue = s.queue
		return Answer{}, false
	}
	placed, ok := false, true
	if s.policy.TakesPlace(d) {
		if placed, ok = b.placeFor(g, s, m); !ok {
			return b.lineUp(now, s, m)
		}
	}
	if !m.claim() {
		if placed {
			g.leave()
		}
		return Answer{}, false // the caller has left: nothing is taken
	}
	return b.grantWith(placed, now, max(now, at), g, s, d, under), true
}

// look answers what would become of the demand of m, and changes nothing. At is the first instant from
// Request.After on at which the key would let the call pass if nothing else came or, if After is below 0,
// the instant at which the tokens are there for a call that queues.
func (b *Behavior) look(now int64, s *State, m *Message) Answer {
	d := &m.Demand
	if after := m.Request.After; after >= 0 {
		return Answer{At: b.earliest(now, s, d, Later(now, after))}
	}
	at, waits, err := b.judge(now, s, d, b.isUnder(now, s, m.Permit))
	switch {
	case err != nil || !waits:
	case d.Stay < 0 || s.policy.NoWait:
		err = limiter.ErrLimited
	default:
		err = b.hasRoom(now, s, d)
	}
	return Answer{Err: err, At: at, Rough: waits && (!b.exact(s, d) || s.queue.lined() > 0)}
}

// judge returns the instant from which the tokens of d are there, and whether a call for d has to queue,
// even if its tokens are there: nobody passes those who wait. The error is that of a breaker that lets
// no call pass now; the instant is then the breaker's.
func (b *Behavior) judge(now int64, s *State, d *Demand, under bool) (at int64, waits bool, err error) {
	if d.Breaker && !under {
		if at, err := s.lets(now); err != nil {
			return at, false, err
		}
	}
	switch {
	case !s.policy.Limited(d):
		return now, false, nil
	case !s.policy.Limits.Holds(d.Tokens): // the limits have changed since the caller looked
		return 0, false, limiter.ErrExceedsCapacity
	case s.queue.short() == 0:
		at = s.policy.Limits.Ready(s.fullAts, now, d.Tokens, d.Mode)
		return at, at > now, nil
	default:
		return b.readyAfter(now, s, d), true, nil
	}
}

// mayQueue returns the reason why m may not wait until at, or nil.
func (b *Behavior) mayQueue(now, at int64, s *State, m *Message) error {
	if p := s.policy; m.Demand.Stay < 0 || p.NoWait || at-now > p.MaxWait || at >= m.Until {
		return limiter.ErrLimited
	}
	return b.hasRoom(now, s, &m.Demand)
}

// hasRoom returns the reason why no further call for d may wait, or nil.
func (b *Behavior) hasRoom(now int64, s *State, d *Demand) error {
	var tokens int64
	if s.queue != nil {
		tokens = s.queue.tokens
	}
	switch {
	case !s.policy.Limits.HasRoom(s.fullAts, now, tokens, d.Tokens):
		return limiter.ErrLimited
	case s.queue.inRow(d.From) >= s.policy.MaxQueue:
		return ErrQueueFull
	default:
		return nil
	}
}

// readyAfter returns the instant from which the tokens of d may be taken by a call that waits in the row
// of d: the exact one with one row, and else one that is not too late.
func (b *Behavior) readyAfter(now int64, s *State, d *Demand) int64 {
	q, limits := s.queue, s.policy.Limits
	if b.exact(s, d) {
		return b.readyBehind(now, s, d.Tokens, limiter.Queued)
	}
	behind := q.scratch[:len(limits)]
	limits.Behind(behind, s.fullAts, q.ahead(d.From))
	return limits.Ready(behind, now, d.Tokens, limiter.Queued)
}

// exact reports whether it is known when a call for d that queues would have its tokens if nobody left:
// with one row, that of d. A window must be the only limit, and its waiters must ask for one token each.
func (b *Behavior) exact(s *State, d *Demand) bool {
	q := s.queue
	if q.short() == 0 {
		return true
	}
	if s.policy.windows && (len(s.policy.Limits) > 1 || q.tokens != int64(q.waiters)) {
		return false
	}
	return len(q.rows) == 1 && q.rows[0] == q.rowOf(d.From)
}

// readyBehind returns the instant from which n tokens may be taken behind all waiters.
func (b *Behavior) readyBehind(now int64, s *State, n int64, mode limiter.Mode) int64 {
	limits := s.policy.Limits
	if s.queue.short() == 0 {
		return limits.Ready(s.fullAts, now, n, mode)
	}
	return limits.Ready(s.queue.tail(limits, s.fullAts, now), now, n, limiter.Queued)
}

// earliest returns the first instant from at on at which the key would let a call for d pass, if nothing
// else came. A breaker that lets a probe through now may be open by the time at which the tokens are
// there, because the lease of another probe has ended.
func (b *Behavior) earliest(now int64, s *State, d *Demand, at int64) int64 {
	at = max(now, at)
	if s.policy.Limited(d) {
		at = max(at, b.readyBehind(now, s, d.Tokens, d.Mode))
	}
	if d.Breaker {
		at = s.passes(at)
	}
	return at
}

// EarliestUnknown is earliest for a key without a cell that would follow p: the key is as new but for the
// debts that the sketch remembers.
func (b *Behavior) EarliestUnknown(now int64, key string, p *Policy, d *Demand, at int64) int64 {
	s := b.unknown(now, key, p)
	return b.earliest(now, &s, d, at)
}

// isUnder reports whether a call made in the function of the probe of permit passes the breaker,
// because the lease of that probe is out. The zero Permit is no probe's.
func (b *Behavior) isUnder(now int64, s *State, permit breaker.Permit) bool {
	return permit.Lease != 0 && s.circuit.Leased(s.policy.rules, now, permit)
}

// grant takes the tokens of d as of the instant due, and a permit of the breaker if d asks the
// breaker and is not under a probe. Tokens and breaker are ready, and the caller is claimed.
func (b *Behavior) grant(now, due int64, s *State, d *Demand, under bool) Answer {
	a := Answer{Under: under}
	if d.Details {
		a.Granted = now
	}
	if d.Breaker && !under && (!d.Split || Planted("a probe held by a waiter")) {
		a.Permit = s.circuit.Admit(s.policy.rules, now)
	}
	if s.policy.Limited(d) {
		a.Receipt = Receipt{From: s.fullAts[0], Epoch: s.circuit.Generation(), policy: s.policy}
		s.policy.Limits.Debit(s.fullAts, due, d.Tokens)
		a.Receipt.To = s.fullAts[0]
		if d.Details && len(s.fullAts) > 1 {
			a.Left = slices.Clone(s.fullAts)
		}
	}
	return a
}
