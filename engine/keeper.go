package engine

import (
	"sync"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// gate is what the actor of a key has published for callers to read.
type gate struct {
	generation atomic.Uint64 // of the breaker
	clean      atomic.Bool   // whether the breaker is closed with no failure counted, so that a success changes nothing
}

// state is what the actor of a key owns.
type state struct {
	circuit breaker.Circuit
	birth   uint64  // the generation that the circuit was born with
	words   []int64 // one for each limit; see package limiter
	line    *line   // the callers that wait; nil when nobody does
}

type cell = actors.Cell[gate, state, message]

// kind is what a message is about.
type kind uint8

const (
	ask     kind = iota // may req go? It is answered, now or later
	cancel              // the caller of req has left
	report              // the outcome of a call
	inspect             // fill in req.snapshot
	reset               // make the key as new
)

// message is what is sent to the actor of a key.
type message struct {
	kind    kind
	outcome breaker.Outcome // report
	reborn  bool            // report: of a call that an earlier cell of the key let through while it was as new
	permit  breaker.Permit  // report
	req     *request        // all but report
}

// request is an ask and the caller's end of it. The caller sets its fields and does not touch them before the end.
type request struct {
	actors.Call[answer]
	n        int64        // tokens
	breaker  bool         // whether the breaker is asked too
	wait     bool         // whether to queue
	mode     limiter.Mode // how to pass a leaky bucket
	until    int64        // the instant at which a grant is of no use any more
	snapshot *Snapshot    // inspect

	// Owned by the actor.
	position int  // in the line
	queued   bool // whether in the line
}

// answer is a grant, or the reason why not and the instant from which a retry would be admitted.
type answer struct {
	permit breaker.Permit
	err    error
	at     int64
}

// keeper is the behavior of every key's actor: the decisions. It is the same for all keys and never changes, except for
// the counter and the pools.
type keeper struct {
	limits      limiter.Limits
	rules       *breaker.Rules
	hasBreaker  bool
	noWait      bool
	maxWait     int64 // ns
	maxQueue    int
	generations atomic.Uint64
	requests    sync.Pool // of *request that have ended
	lines       sync.Pool // of *line that are empty
}

var _ actors.Behavior[gate, state, message] = (*keeper)(nil)

// Init makes a key: buckets full, breaker closed.
func (k *keeper) Init(now int64, g *gate, s *state) actors.Next {
	s.words = make([]int64, len(k.limits))
	k.limits.Reset(s.words, now)
	s.circuit.Renew(k.rules)
	s.birth = s.circuit.Generation()
	return k.next(now, g, s)
}

// Receive processes a message. An answer is given last, when nothing can go wrong any more.
func (k *keeper) Receive(now int64, g *gate, s *state, m message) actors.Next {
	switch m.kind {
	case ask:
		a, answered := k.decide(now, s, m.req)
		next := k.next(now, g, s)
		if answered {
			m.req.Answer(a)
		}
		return next
	case cancel:
		k.leave(s, m.req)
		next := k.next(now, g, s)
		k.requests.Put(m.req)
		return next
	case report:
		if m.reborn {
			m.permit.Generation = s.birth
		}
		s.circuit.Report(k.rules, now, m.permit, m.outcome)
		return k.next(now, g, s)
	case inspect:
		k.inspect(now, s, m.req.snapshot)
		next := k.next(now, g, s)
		next.Unused = true
		m.req.Answer(answer{})
		return next
	default: // reset
		k.limits.Reset(s.words, now)
		s.circuit.Renew(k.rules)
		next := k.next(now, g, s)
		m.req.Answer(answer{})
		return next
	}
}

// Wake serves the head of the line, and ends the lease of a probe.
func (k *keeper) Wake(now int64, g *gate, s *state) actors.Next {
	s.circuit.Advance(k.rules, now)
	return k.next(now, g, s)
}

// decide answers a request, or puts it in the line: breaker first, then limiter, debit last.
func (k *keeper) decide(now int64, s *state, r *request) (a answer, answered bool) {
	if r.breaker {
		if at := s.circuit.Ready(k.rules, now); at > now {
			return answer{err: breaker.ErrOpen, at: at}, r.Claim()
		}
	}
	var at int64
	if s.line == nil {
		if at = k.limits.Ready(s.words, now, r.n, r.mode); at <= now {
			if !r.Claim() {
				return answer{}, false // the caller has left: nothing is taken
			}
			return k.grant(now, s, r), true
		}
	} else {
		at = k.limits.Ready(s.line.tail(k.limits, s.words, now), now, r.n, limiter.Turn)
	}
	if err := k.mayQueue(now, at, s, r); err != nil {
		return answer{err: err, at: at}, r.Claim()
	}
	if s.line == nil {
		s.line = k.newLine()
	}
	s.line.push(r)
	return answer{}, false
}

// mayQueue says why r may not wait until at.
func (k *keeper) mayQueue(now, at int64, s *state, r *request) error {
	var waiting int
	var tokens int64
	if s.line != nil {
		waiting, tokens = s.line.waiting, s.line.tokens
	}
	switch {
	case !r.wait || k.noWait, at-now > k.maxWait, at >= r.until:
		return limiter.ErrLimited
	case !k.limits.HasRoom(s.words, now, tokens, r.n):
		return limiter.ErrLimited
	case waiting >= k.maxQueue:
		return ErrQueueFull
	default:
		return nil
	}
}

// grant takes what r asked for. r is claimed, the breaker and the limits are ready.
func (k *keeper) grant(now int64, s *state, r *request) answer {
	var a answer
	if r.breaker {
		a.permit = s.circuit.Admit(k.rules, now)
	}
	k.limits.Debit(s.words, now, r.n)
	return a
}

// next ends every turn: it serves the line, publishes the gate, and says when the actor has to wake.
func (k *keeper) next(now int64, g *gate, s *state) actors.Next {
	next := actors.Next{Wake: s.circuit.LeaseEnds(), Forget: actors.Never}
	if s.line != nil {
		next.Wake = min(next.Wake, k.serve(now, s))
	}
	if next.Wake == actors.Never {
		next.Forget = max(k.limits.FullAt(s.words), s.circuit.CleanAt(k.rules))
	}
	if generation := s.circuit.Generation(); g.generation.Load() != generation {
		g.generation.Store(generation)
	}
	if clean := s.circuit.Clean(); g.clean.Load() != clean {
		g.clean.Store(clean)
	}
	return next
}

// Fail answers all that wait with err.
func (k *keeper) Fail(now int64, g *gate, s *state, err error) actors.Next {
	if s.line != nil {
		for _, r := range s.line.all() {
			k.refuse(r, err)
		}
		s.line = nil
	}
	return k.next(now, g, s)
}

// Refuse answers a message that gets no turn, or whose turn panicked before it was answered.
func (k *keeper) Refuse(m message, err error) {
	if m.kind == ask || m.kind == inspect || m.kind == reset {
		k.refuse(m.req, err)
	}
}

// refuse answers r, which may have been claimed already, unless its caller has left.
func (k *keeper) refuse(r *request, err error) {
	if r.Claim() || !r.Left() {
		r.Answer(answer{err: err})
	}
}
