package guard

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// State is the part of a key that the actor owns.
type State struct {
	key     string
	policy  *Policy
	circuit breaker.Circuit
	forced  *forced        // nil unless a person has forced the breaker
	fullAts []int64        // one for each limit, and at least one. While the gate is shared, the gate has the first
	rests   []limiter.Rest // of fullAts, from the last change of the limits; nil if none is left
	queue   *queue         // nil while nobody waits
	epoch   uint64         // the generation with which the buckets began: at the birth, the last Reset, or the start of the actor
}

// Behavior is the effect of messages on a key. One Behavior serves all keys of an engine. Make a
// Behavior with [New].
type Behavior struct {
	Counters *Counters
	Events   Events

	current     atomic.Pointer[Version]
	sketch      *sketch
	newborn     []int64 // the full-ats of the key that is being born; for Init and Spill alone
	gone        uint64  // keys that have gone; for Forget alone, as full
	full        bool    // whether the sketch was full at the last look
	census      census
	generations atomic.Uint64 // the last one given out. Generations of first periods are odd, others even
	requests    *sync.Pool    // of *Request that have ended

	// Renewing is called before a breaker begins a new period. Nil but in tests.
	Renewing func()
}

// New returns the behavior of keys that p decides or, if each key has limits of its own, the policies
// that are made of p. New keeps p.
func New(p *Policy, perKey bool) *Behavior {
	b := &Behavior{Counters: &Counters{ForcedKeys: new(atomic.Int64)}, sketch: newSketch(len(p.Limits)), requests: new(sync.Pool)}
	b.current.Store(b.Prepare(p, perKey))
	return b
}

// firstPeriod is the bit of a generation that says that a key was born with it.
const firstPeriod = 1

// generation returns a new generation, for a period that is not a key's first.
func (b *Behavior) generation() uint64 {
	if b.Renewing != nil {
		b.Renewing()
	}
	return b.generations.Add(firstPeriod + 1)
}

// Init makes a key: full buckets and a closed breaker, but for the debt and the trip that the sketch
// remembers. A key with limits of its own has been given its policy by [Gate.Adopt].
func (b *Behavior) Init(now int64, key string, g *Gate, s *State) actors.Next {
	v := b.current.Load()
	p := v.shared
	if p == nil {
		p = g.posted.Load().policy
	}
	b.census.birth(key)
	generation := b.generations.Add(firstPeriod+1) | firstPeriod
	fullAts := b.newborns(len(p.Limits))
	v.bear(fullAts, now)
	bornFull := p.Limits.FullAt(fullAts)
	left := b.sketch.recall(key, p.Limits, fullAts)
	g.fullAt.Store(fullAts[0])
	g.generation.Store(generation)
	g.posted.Store(p.first())
	s.reopen(p, generation, left)
	open := left.probeAt > 0 && s.circuit.CleanAt(p.rules) > now
	if open || p.Limits.FullAt(fullAts) > bornFull {
		b.sketch.hit()
	}
	if p.shares && !open {
		return actors.Next{Wake: actors.Never, Clean: true}
	}
	s.key, s.policy, s.fullAts, s.epoch = key, p, slices.Clone(fullAts), generation
	if !open {
		s.circuit.Resume(generation)
	}
	g.fullAt.Store(owned)
	return b.next(now, g, s, nil)
}

// newborns returns room for the full-ats of a key with so many limits, until the next call.
func (b *Behavior) newborns(limits int) []int64 {
	n := max(1, limits)
	b.newborn = slices.Grow(b.newborn[:0], n)
	return b.newborn[:n]
}

// Resume makes the state of a key whose gate is shared and whose breaker is clean.
func (b *Behavior) Resume(key string, g *Gate, s *State) {
	s.key, s.policy = key, g.posted.Load().policy
	s.epoch = g.generation.Load()
	s.circuit.Resume(s.epoch)
	s.circuit.Count(g.posted.Load().tally)
	s.fullAts = []int64{g.fullAt.Load()}
}

// Receive processes a message. An answer is given last, when nothing can go wrong any more.
func (b *Behavior) Receive(clock func() int64, g *Gate, s *State, m *Message) actors.Next {
	if m.Kind == Report && (m.Request == nil || Planted("a report of a slow call that is not answered")) && m.Outcome == breaker.Success && s.circuit.Clean() && !s.policy.rated && !s.policy.Stale() {
		return actors.Next{Same: true}
	}
	if s.policy.shares && !Planted("a gate that is owned too late") {
		g.own(s) // before the clock is read, so that no caller has taken tokens at a later instant
	}
	now := clock()
	if s.policy.shares && Planted("a gate that is owned too late") {
		g.own(s)
	}
	now = b.adopt(now, s, m.Policy, m.Kind == Refresh && m.Request != nil)
	b.lapse(now, s)
	var a Answer
	switch m.Kind {
	case Ask:
		return b.asked(now, g, s, m)
	case CancelWait:
		return b.cancelWait(now, g, s, m)
	case Report:
		return b.report(now, g, s, m)
	case Look:
		a = b.look(now, s, m)
	case Explain:
		a = b.explain(now, g, s, m)
	case GiveBack:
		if !b.giveBack(now, s, m.Request.Receipt, m.Demand.Tokens) {
			a.Err = ErrSpent
		}
	case Inspect:
		b.describe(now, g, s, m.Request.Snapshot)
	case Charge:
		return b.charge(now, g, s, m)
	case Force:
		a.Err = b.force(now, g, s, m.Request.Forcing)
	case Vacate:
		return b.next(now, g, s, m)
	case Refresh:
		if m.Request == nil {
			return b.next(now, g, s, m)
		}
	default: // Reset
		b.reset(now, s)
	}
	next := b.next(now, g, s, m)
	m.Request.Answer(a)
	return next
}

// asked is the turn of an Ask.
func (b *Behavior) asked(now int64, g *Gate, s *State, m *Message) actors.Next {
	a, answered := b.decide(now, g, s, m)
	next := b.used(now, g, s, m)
	if answered {
		m.Answers <- a
	}
	return next
}

// report counts an outcome.
func (b *Behavior) report(now int64, g *Gate, s *State, m *Message) actors.Next {
	if is := s.circuit.Generation(); m.FromPredecessor && is&firstPeriod != 0 {
		m.Permit.Generation = is
	}
	if s.forced == nil || Planted("a forced breaker that counts") {
		e := breaker.Ending{Outcome: m.Outcome, Slow: m.Slow}
		if m.Request == nil {
			s.circuit.End(s.policy.rules, now, m.Permit, e)
		} else {
			e.OpenFor = m.Request.OpenFor
			m.Request.inARow, m.Request.in = s.circuit.End(s.policy.rules, now, m.Permit, e)
		}
	}
	if m.Outcome == breaker.Failure && len(s.policy.Limits) > 0 && Planted("a late refund") {
		s.fullAts[0] = max(now, s.fullAts[0]-s.policy.Limits[0].After(0, 0, 1))
	}
	next := b.used(now, g, s, m)
	switch {
	case m.Answers != nil:
		m.Answers <- Answer{}
	case m.Request != nil:
		b.Release(m.Request)
	}
	return next
}

// reset makes the key as new. The sketch is told in the turn: writes from before the key's birth are
// past.
func (b *Behavior) reset(now int64, s *State) {
	b.sketch.pardon(s.key)
	if s.queue != nil {
		s.queue.moved = now // the tokens were not there before for those who wait
	}
	if s.policy.Limits.Reset(s.fullAts, now); Planted("a Reset that leaves the window to readings of the one before") {
		s.fullAts[0] = now
	}
	s.rests, s.forced = nil, nil
	t := s.circuit.Tally()
	if s.circuit.Renew(s.policy.rules); Planted("a tally that survives a Reset") {
		s.circuit.Count(t)
	}
	s.epoch = s.circuit.Generation()
}

// Wake serves the head of the queue, and ends the lease of a probe and a forced state. In all cases the
// actor owns the gate.
func (b *Behavior) Wake(now int64, g *Gate, s *State) actors.Next {
	now = b.adopt(now, s, nil, false)
	b.lapse(now, s)
	s.circuit.Advance(s.policy.rules, now)
	return b.next(now, g, s, nil)
}

// used is next for a turn that was a use of the key.
func (b *Behavior) used(now int64, g *Gate, s *State, m *Message) actors.Next {
	next := b.next(now, g, s, m)
	next.Used = now
	return next
}

// next ends every turn: it serves the queue, posts, and says when the actor has to wake. m is the message of the
// turn, or nil.
func (b *Behavior) next(now int64, g *Gate, s *State, m *Message) actors.Next {
	next := actors.Next{Wake: actors.Never, Forget: actors.Never}
	q := s.queue
	if q != nil {
		next.Wake = b.serve(now, g, s)
	}
	g.settle(s.queue.lined() > 0)
	next.Wake = min(next.Wake, s.circuit.LeaseEnds()) // after serving: a call that was admitted may be a probe
	if s.forced != nil {
		next.Wake = min(next.Wake, s.forced.until)
	}
	next.Clean = b.post(now, g, s, m)
	if next.Wake == actors.Never && s.forced == nil {
		next.Forget = max(s.policy.Limits.FullAt(s.fullAts), s.circuit.CleanAt(s.policy.rules))
	}
	if q != nil && s.queue == nil {
		s.policy.queues.Put(q) // last: no state that could be restored has the queue any more
	}
	return next
}

// Fail answers all waiters with err. A queue is changed in place and not restored after a panic: a
// waiter in the queue has not been answered, and an answered caller is not in the queue. The full-ats
// are not restored either: a debit stays, which can only withhold a token.
func (b *Behavior) Fail(now int64, g *Gate, s *State, err error) actors.Next {
	if s.queue != nil {
		s.queue.refuseAll(err)
		s.queue = nil
	}
	if _, panicked := err.(*actors.PanicError); panicked { //nolint:errorlint // made by the actor, not wrapped
		b.Events.Add(Event{At: now, Key: s.key, Kind: Restarted, cause: err})
	}
	return b.next(now, g, s, nil)
}

// Refuse answers a message that gets no turn, or whose turn panicked before the message was answered.
// If the turn put the request into a queue, all waiters of the queue are answered, because the state
// as it was before may not know of the queue.
func (b *Behavior) Refuse(m *Message, err error) {
	switch {
	case m.queue != nil:
		m.queue.refuseAll(err)
	case m.Kind == Report && m.Answers == nil: // nobody waits
	case m.Request != nil && m.Kind != CancelWait:
		m.Request.fail(err)
	}
}

// Request returns a request that is ready to be asked. [Behavior.Release] takes the request back.
func (b *Behavior) Request() *Request {
	r, ok := b.requests.Get().(*Request)
	if !ok {
		return &Request{Call: actors.NewCall[Answer]()}
	}
	r.Reset()
	return r
}

// Release takes back a request that has ended, from the caller that received the answer or from the
// actor that found the request left.
func (b *Behavior) Release(r *Request) {
	r.Cause, r.OpenFor, r.inARow, r.in = nil, 0, 0, breaker.Counts{}
	b.requests.Put(r)
}

var _ actors.Behavior[Gate, State, Message] = (*Behavior)(nil)
