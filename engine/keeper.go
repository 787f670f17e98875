package engine

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// state is the part of a key that the actor owns.
type state struct {
	key     string
	circuit breaker.Circuit
	words   []int64 // one for each limit, and at least one; see package limiter. The gate has the first while it is open
	line    *line   // the callers that wait; nil when nobody does
}

type cell = actors.Cell[gate, state, message]

// keeper is the behavior of every key's actor: the decisions. It is the same for all keys and never changes, except for
// the counter and the pools.
type keeper struct {
	limits      limiter.Limits
	rules       *breaker.Rules
	hasBreaker  bool
	gated       bool // whether the gate may open: Published, and at most one limit
	now         func() int64
	coarse      int64 // ns; how exactly a gate without a limiter tells when it was used
	noWait      bool
	maxWait     int64 // ns
	maxQueue    int
	sketch      *sketch
	newborn     []int64 // the words of the key that is being born; for Init alone
	census      census
	generations atomic.Uint64 // the last one given out. Those that a key is born with are odd, the others even
	requests    sync.Pool     // of *request that have ended
	lines       sync.Pool     // of *line that are empty
}

// Init makes a key: buckets full and breaker closed, but for the debt and the trip that the sketch remembers.
func (k *keeper) Init(now int64, key string, g *gate, s *state) actors.Next {
	k.census.birth(key)
	generation := k.generation() | birth
	k.limits.Reset(k.newborn, now)
	probeAt := k.sketch.recall(key, k.newborn)
	g.word.Store(k.newborn[0])
	g.generation.Store(generation)
	s.circuit.Reopen(k.rules, generation, probeAt)
	open := probeAt > 0 && s.circuit.CleanAt(k.rules) > now
	if open || k.limits.FullAt(k.newborn) > now {
		k.sketch.hit()
	}
	if k.gated && !open {
		return actors.Next{Wake: actors.Never, Clean: true}
	}
	s.key, s.words = key, slices.Clone(k.newborn)
	if !open {
		s.circuit.Resume(generation)
	}
	g.word.Store(shut)
	return k.next(now, g, s)
}

// Resume makes the state of a key whose gate is open and whose breaker is clean.
func (k *keeper) Resume(key string, g *gate, s *state) {
	s.key = key
	s.circuit.Resume(g.generation.Load())
	s.words = make([]int64, max(1, len(k.limits)))
	k.limits.Reset(s.words, g.word.Load())
}

// birth is the bit that tells the generation a key is born with from those of its later periods.
const birth = 1

// generation returns a new generation, for a period that is not a key's first.
func (k *keeper) generation() uint64 { return k.generations.Add(birth + 1) }

// Receive processes a message. An answer is given last, when nothing can go wrong any more.
func (k *keeper) Receive(clock func() int64, g *gate, s *state, m *message) actors.Next {
	if m.kind == report && m.outcome == Success && s.circuit.Clean() {
		return actors.Next{Same: true}
	}
	if k.gated {
		g.seize(s) // before the clock is read, so that no caller has come past at a later instant
	}
	now := clock()
	switch m.kind {
	case ask:
		a, answered := k.decide(now, s, m)
		next := k.used(now, g, s)
		if answered {
			m.answers <- a
		}
		return next
	case cancel:
		if m.req.queued { // else the message found it left
			s.line.leave(m.req, now)
		}
		next := k.next(now, g, s)
		k.requests.Put(m.req)
		return next
	case report:
		if is := s.circuit.Generation(); m.reborn && is&birth != 0 {
			m.permit.Generation = is
		}
		s.circuit.Report(k.rules, now, m.permit, m.outcome)
		next := k.used(now, g, s)
		if m.req != nil {
			m.answers <- answer{}
		}
		return next
	case inspect:
		k.inspect(now, s, m.req.snapshot)
		next := k.next(now, g, s)
		m.req.Answer(answer{})
		return next
	default: // reset
		k.sketch.pardon(s.key) // in the turn: writes from before the key's birth are past
		k.limits.Reset(s.words, now)
		s.circuit.Renew(k.rules)
		next := k.next(now, g, s)
		m.req.Answer(answer{})
		return next
	}
}

// Wake serves the head of the line, and ends the lease of a probe. In both cases the gate is shut.
func (k *keeper) Wake(now int64, g *gate, s *state) actors.Next {
	s.circuit.Advance(k.rules, now)
	return k.next(now, g, s)
}

// decide answers an ask, or puts it in the line: breaker first, then limiter, debit last.
func (k *keeper) decide(now int64, s *state, m *message) (a answer, answered bool) {
	if !m.stays && m.req.Left() {
		return answer{}, false // dropped unprocessed; the caller's cancel is behind it
	}
	under := k.isUnder(now, s, m.permit)
	if m.breaker && !under {
		if at := s.circuit.Ready(k.rules, now); at > now {
			return answer{err: breaker.ErrOpen, at: max(at, k.readyBehind(now, s, m.n, m.mode))}, m.claim()
		}
	}
	var at int64
	if s.line == nil {
		if at = k.limits.Ready(s.words, now, m.n, m.mode); at <= now {
			if !m.claim() {
				return answer{}, false // the caller has left: nothing is taken
			}
			return k.grant(now, now, s, m.n, m.breaker, under), true
		}
	} else {
		at = k.readyBehind(now, s, m.n, m.mode)
	}
	if err := k.mayQueue(now, at, s, m); err != nil {
		return answer{err: err, at: at}, m.claim()
	}
	if s.line == nil {
		s.line = k.newLine()
	}
	s.line.push(m, now)
	m.line = s.line
	return answer{}, false
}

// readyBehind is the instant from which n tokens may be taken behind all that wait now.
func (k *keeper) readyBehind(now int64, s *state, n int64, mode limiter.Mode) int64 {
	if s.line == nil {
		return k.limits.Ready(s.words, now, n, mode)
	}
	return k.limits.Ready(s.line.tail(k.limits, s.words, now), now, n, limiter.Turn)
}

// isUnder reports whether a call made under the probe of permit passes the breaker, because the lease
// of that probe is out. The zero Permit is no probe's.
func (k *keeper) isUnder(now int64, s *state, permit breaker.Permit) bool {
	return permit.Lease != 0 && s.circuit.Leased(k.rules, now, permit)
}

// mayQueue says why m may not wait until at.
func (k *keeper) mayQueue(now, at int64, s *state, m *message) error {
	var waiting int
	var tokens int64
	if s.line != nil {
		waiting, tokens = s.line.waiting, s.line.tokens
	}
	switch {
	case !m.wait || k.noWait, at-now > k.maxWait, at >= m.until:
		return limiter.ErrLimited
	case !k.limits.HasRoom(s.words, now, tokens, m.n):
		return limiter.ErrLimited
	case waiting >= k.maxQueue:
		return ErrQueueFull
	default:
		return nil
	}
}

// grant takes n tokens, as of the instant due, and a permit of the breaker if it was asked. Both are ready, and the caller is claimed.
func (k *keeper) grant(now, due int64, s *state, n int64, asked, under bool) answer {
	a := answer{under: under}
	if asked && !under {
		a.permit = s.circuit.Admit(k.rules, now)
	}
	k.limits.Debit(s.words, due, n)
	return a
}

// used is next for a turn that was a use of the key.
func (k *keeper) used(now int64, g *gate, s *state) actors.Next {
	next := k.next(now, g, s)
	next.Used = now
	return next
}

// next ends every turn: it serves the line, publishes, and says when the actor has to wake.
func (k *keeper) next(now int64, g *gate, s *state) actors.Next {
	next := actors.Next{Wake: actors.Never, Forget: actors.Never}
	line := s.line
	if line != nil {
		next.Wake = k.serve(now, s)
	}
	next.Wake = min(next.Wake, s.circuit.LeaseEnds()) // after serving: a call that was let through may be a probe
	next.Clean = k.publish(now, g, s)
	if next.Wake == actors.Never {
		next.Forget = max(k.limits.FullAt(s.words), s.circuit.CleanAt(k.rules))
	}
	if line != nil && s.line == nil {
		k.lines.Put(line) // last: no state that could be restored has it any more
	}
	return next
}

// Fail answers all that wait with err. A line is changed in place and not restored after a panic: a caller in the line has not
// been answered, and an answered caller is not in the line. The words are not restored either: a debit stays, which can only
// withhold a token.
func (k *keeper) Fail(now int64, g *gate, s *state, err error) actors.Next {
	if s.line != nil {
		k.disband(s.line, err)
		s.line = nil
	}
	return k.next(now, g, s)
}

// Refuse answers a message that gets no turn, or whose turn panicked before it was answered. If the turn put it into a
// line, the line goes with it, since the state as it was before may not know of it.
func (k *keeper) Refuse(m *message, err error) {
	switch {
	case m.line != nil:
		k.disband(m.line, err)
	case m.req != nil && m.kind != cancel:
		k.refuse(m.req, err)
	}
}

// disband answers everyone in l with err.
func (k *keeper) disband(l *line, err error) {
	for _, r := range l.all() {
		l.remove(r)
		k.refuse(r, err)
	}
}

// refuse answers r, which may have been claimed already, unless its caller has left.
func (k *keeper) refuse(r *request, err error) {
	if r.Claim() || !r.Left() {
		r.Answer(answer{err: err})
	}
}
