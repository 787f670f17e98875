package guard

import (
	"slices"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// Notice is the actor's posting for callers about a key, beside full-at. A posted Notice does not
// change. The ordinary notices belong to the policy, and all keys share them.
type Notice struct {
	policy  *Policy
	forced  *forced        // of a key whose breaker is forced; else nil
	refusal error          // of an open breaker: every plain call of the trip that asks the breaker shares the error
	until   int64          // of an open breaker: the instant from which the breaker is to be asked again, or Never; else 0
	at      int64          // of an open breaker: the instant from which breaker and limits would both let a call pass, or Never
	tally   *breaker.Tally // where successes count, of a key whose policy is rated; nil before the first outcome
	places  *places        // of the key; nil if no call has taken one
	reports bool           // whether a success has something to report or to count
	told    bool           // with a tally: whether the actor has to hear of a success, and counts it
	state   breaker.State
}

// Policy returns the policy by which the key is decided.
func (n *Notice) Policy() *Policy { return n.policy }

// Refuses reports whether the breaker is open and refuses every call before the instant until.
func (n *Notice) Refuses() bool { return n.until != 0 }

// Until returns the instant from which an open breaker is to be asked again, or 0.
func (n *Notice) Until() int64 { return n.until }

// At returns the instant from which an open breaker and the limits would both let a call pass, or 0.
func (n *Notice) At() int64 { return n.at }

// Forced reports whether a person has forced the breaker.
func (n *Notice) Forced() bool { return n.forced != nil }

// Reason returns why an open breaker refuses: breaker.ErrOpen or ErrForced.
func (n *Notice) Reason() error {
	if n.forced != nil {
		return ErrForced
	}
	return breaker.ErrOpen
}

// Refusal returns the error that all calls of a trip share, or nil.
func (n *Notice) Refusal() error { return n.refusal }

// Reports reports whether a success may have something to report: a failure is counted, or the breaker
// is not closed.
func (n *Notice) Reports() bool { return n.reports }

// post ends a turn: it writes the actor's decisions into the gate, and shares the gate if only
// tokens are left to decide. m is the message of the turn, or nil. The actor owns the gate before the decisions are written and shares the
// gate last, so that no caller takes a token under a generation that admits none. The result is
// whether the gate then says all there is to know about the key.
func (b *Behavior) post(now int64, g *Gate, s *State, m *Message) (clean bool) {
	share := s.policy.shares && s.queue == nil && s.circuit.Admits() && s.forced == nil
	if s.policy.shares && !share { // by a policy that does not share, the actor owns the gate all the time
		g.own(s)
	}
	if generation := s.circuit.Generation(); g.generation.Load() != generation {
		g.generation.Store(generation)
	}
	was := g.posted.Load()
	if is := b.notice(now, was, s).placed(was); is != was {
		g.posted.Store(is)
		b.moved(now, s, m, was, is)
	}
	if !share {
		return false
	}
	if fullAt := g.fullAt.Load(); fullAt >= 0 {
		s.fullAts[0] = fullAt // the gate has been shared all through the turn, and callers have taken tokens
	} else {
		g.fullAt.Store(s.fullAts[0])
	}
	if s.rests != nil && !slices.ContainsFunc(s.rests, func(r limiter.Rest) bool { return now < r.Until }) {
		s.rests = nil
	}
	return s.circuit.Clean() && s.rests == nil
}

// notice returns the notice to post; was is the notice before.
func (b *Behavior) notice(now int64, was *Notice, s *State) *Notice {
	p := s.policy
	until := s.circuit.OpenUntil()
	switch {
	case s.forced != nil:
		return b.forcedNotice(now, was, s)
	case s.circuit.Admits():
		return b.closedNotice(was, s)
	case until == 0:
		return &p.probing
	case !p.Publish:
		return &p.open
	case was.policy == p && was.until == until && now >= until:
		return was // no caller may use the refusal any more
	}
	at := max(until, b.readyBehind(now, s, 1, limiter.Queued))
	if was.policy == p && was.until == until && was.at == at {
		return was
	}
	return &Notice{policy: p, refusal: p.Refuse(s.key, breaker.ErrOpen, at), until: until, at: at, reports: true, state: breaker.Open}
}

// closedNotice returns the notice to post of a key whose breaker is closed; was is the notice before.
func (b *Behavior) closedNotice(was *Notice, s *State) *Notice {
	p, told, t := s.policy, s.circuit.Counts() && !Planted("a success that leaves the failures in a row"), s.circuit.Tally()
	switch {
	case t != nil && p.Publish && was.policy == p && was.tally == t && was.told == told:
		return was
	case t != nil && p.Publish:
		return &Notice{policy: p, reports: true, tally: t, told: told}
	case told:
		return &p.counted
	default:
		return &p.clean
	}
}
