package guard

import (
	"errors"
	"fmt"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

var (
	// ErrForced is the reason of a refusal by a breaker that is open by hand.
	ErrForced = fmt.Errorf("%w, forced by hand", breaker.ErrOpen)
	// ErrForceLimit says that as many keys are forced as Policy.MaxForced allows.
	ErrForceLimit = errors.New("engine: too many forced keys")
)

// forced is the state that a person has given the breaker of a key. It does not change. While a key
// is forced, its circuit is clean, and neither asked nor told anything.
type forced struct {
	to    breaker.State // Open or Closed
	until int64         // the instant at which the forced state ends, or Never
}

// Forcing is the wish of a Force.
type Forcing struct {
	To  breaker.State // Open or Closed
	For int64         // ns; Never: for ever; 0: the forced state ends
}

// force carries out a Force at now. A forced state begins and ends with a new period of the
// breaker, so that no outcome of a call counts that was let through before.
func (b *Behavior) force(now int64, g *Gate, s *State, f Forcing) error {
	if f.For == 0 {
		b.unforce(s)
		return nil
	}
	circuit := s.circuit
	if !Planted("a force that begins no new period") {
		circuit.Renew(s.policy.rules)
	}
	// A key counts as forced for as long as its notice says so, which the turn has not changed yet.
	if g.posted.Load().forced == nil && !b.Counters.force(s.policy.MaxForced) {
		return ErrForceLimit
	}
	s.circuit, s.forced = circuit, &forced{to: f.To, until: Later(now, f.For)}
	return nil
}

// unforce ends the forced state of a key, if there is one.
func (b *Behavior) unforce(s *State) {
	if s.forced != nil {
		if !Planted("a forced state that ends without a new period") {
			s.circuit.Renew(s.policy.rules)
		}
		s.forced = nil
	}
}

// lapse ends the forced state of a key if its time is over at now.
func (b *Behavior) lapse(now int64, s *State) {
	if f := s.forced; f != nil && f.until <= now && !Planted("a forced state that outlives its time") {
		b.unforce(s)
	}
}

// force counts a key more that is forced, if there are fewer than most.
func (c *Counters) force(most int64) bool {
	for n := c.ForcedKeys.Load(); n < most; n = c.ForcedKeys.Load() {
		if c.ForcedKeys.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// lets returns the first instant at which the breaker lets a call through if nothing is reported.
// If that is after now, the error is the reason.
func (s *State) lets(now int64) (at int64, reason error) {
	if f := s.forced; f != nil && (f.to == breaker.Open || !Planted("a forced breaker that counts")) {
		if f.to == breaker.Open {
			return f.until, ErrForced
		}
		return now, nil
	}
	if at = s.circuit.Ready(s.policy.rules, now); at > now {
		return at, breaker.ErrOpen
	}
	return now, nil
}

// passes returns the first instant from at on at which the breaker would let a call through if
// nothing else happened until then.
func (s *State) passes(at int64) int64 {
	switch f := s.forced; {
	case f == nil:
		return s.circuit.Passes(s.policy.rules, at)
	case f.to == breaker.Open:
		return max(at, f.until)
	default:
		return at
	}
}

// isOpen returns the instant until which the breaker is open, and the reason; or nil if it is not
// open.
func (s *State) isOpen(now int64) (until int64, reason error) {
	if s.forced != nil && Planted("waiters left in the queue of a breaker opened by hand") {
		return now, nil
	}
	if s.forced != nil {
		return s.lets(now)
	}
	if state, _, openFor := s.circuit.Look(s.policy.rules, now); state == breaker.Open {
		return now + openFor, breaker.ErrOpen
	}
	return now, nil
}

// look describes the breaker at now, as [breaker.Circuit.Look] does.
func (s *State) look(now int64) (state breaker.State, failures int, openFor int64) {
	f := s.forced
	switch {
	case f == nil:
		return s.circuit.Look(s.policy.rules, now)
	case f.to == breaker.Open && f.until == Never:
		return breaker.Open, 0, int64(breaker.Forever)
	case f.to == breaker.Open:
		return breaker.Open, 0, f.until - now
	default:
		return f.to, 0, 0
	}
}

// window returns the calls in the window of the breaker at now.
func (s *State) window(now int64) breaker.Counts {
	if s.forced != nil || !s.policy.rated {
		return breaker.Counts{}
	}
	return s.circuit.Window(s.policy.rules, now)
}

// forcedNotice returns the notice to post of a key that is forced; was is the notice before.
func (b *Behavior) forcedNotice(now int64, was *Notice, s *State) *Notice {
	p, f := s.policy, s.forced
	refuses, at := p.Publish && f.to == breaker.Open, int64(0)
	if refuses {
		at = max(f.until, b.readyBehind(now, s, 1, limiter.Queued))
	}
	if was.policy == p && was.forced == f && was.at == at {
		return was
	}
	n := &Notice{policy: p, forced: f, at: at, state: f.to}
	if refuses {
		n.until, n.refusal = f.until, p.Refuse(s.key, ErrForced, at)
	}
	return n
}

// movedByHand is moved for a notice that begins or ends a forced state.
func (b *Behavior) movedByHand(now int64, s *State, m *Message, was, is *Notice) {
	e := Event{At: now, Key: s.key, From: was.state, To: is.state}
	if f := is.forced; f != nil {
		b.Counters.keysIn(was.state, -1)
		b.Counters.keysIn(is.state, 1)
		if e.Kind = Forced; f.until != Never {
			e.Until = f.until
		}
		b.Events.Add(e)
		return
	}
	b.Counters.ForcedKeys.Add(-1)
	b.Counters.keysIn(was.state, -1)
	b.Counters.Recovered.Add(1)
	e.Kind, e.cause = Recovered, errLapsed
	switch {
	case m != nil && m.Kind == Reset:
		e.cause = errReset
	case m != nil && m.Kind == Force:
		e.cause = errUnforced
	}
	b.Events.Add(e)
}
