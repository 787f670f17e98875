package guard

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

// incarnation is a key from its birth until the key is forgotten, without the runtime: the gate,
// the state, and the answer of the last turn. The actor leaves after every turn. The methods move
// full-at of a shared gate as callers do.
type incarnation struct {
	*Behavior
	gate  Gate
	state State
	left  bool // a state has been left behind
	next  actors.Next
	born  uint64       // the generation at the birth
	heir  *incarnation // nil until the key is forgotten
}

// bear makes key anew.
func bear(b *Behavior, key string, now int64) *incarnation {
	in := &incarnation{Behavior: b}
	in.next = b.Init(now, key, &in.gate, &in.state)
	in.left = !in.next.Clean
	in.state.key, in.born = key, in.gate.generation.Load()
	return in
}

func (in *incarnation) present() *State {
	if !in.left {
		in.Resume(in.state.key, &in.gate, &in.state)
	}
	return &in.state
}

// turn has m processed.
func (in *incarnation) turn(now int64, m *Message) {
	if next := in.Receive(func() int64 { return now }, &in.gate, in.present(), m); !next.Same {
		in.next = next
		in.left = !next.Clean
	}
}

// wake brings the key to now, one timer after the other.
func (in *incarnation) wake(now int64) {
	for in.next.Wake <= now {
		in.next = in.Wake(in.next.Wake, &in.gate, in.present())
		in.left = !in.next.Clean
	}
}

// The demands of Allow, of Acquire and of a call, of which none waits.
func allowing(n int64) Demand  { return Demand{Tokens: n, Stay: NoStay, Mode: limiter.Immediate} }
func acquiring(n int64) Demand { return Demand{Tokens: n, Stay: NoStay, Mode: limiter.Queued} }
func calling() Demand          { return Demand{Tokens: 1, Stay: NoStay, Mode: limiter.Queued, Breaker: true} }

// randomDemand returns the demand of one of the three, for n tokens if it is not a call.
func randomDemand(r *rand.Rand, n int64) Demand {
	switch r.IntN(3) {
	case 0:
		return allowing(n)
	case 1:
		return acquiring(n)
	default:
		return calling()
	}
}

// ask is a call that does not wait.
func (in *incarnation) ask(now int64, d Demand) Answer {
	fullAt := in.gate.fullAt.Load()
	switch limits := in.policy().Limits; {
	case fullAt < 0:
		r := Request{Call: actors.NewCall[Answer]()}
		in.turn(now, &Message{Kind: Ask, Demand: d, Stays: true, Until: actors.Never, Request: &r, Answers: r.Answers()})
		return <-r.Answered()
	case len(limits) > 0:
		if at := limits[0].Ready(fullAt, d.Tokens, d.Mode); at > now {
			return Answer{Err: limiter.ErrLimited, At: at}
		}
		in.gate.fullAt.Store(limits[0].After(fullAt, now, d.Tokens))
	}
	return Answer{Permit: breaker.Permit{Generation: in.gate.generation.Load()}}
}

// report reports the end of a call that in let through. If in was forgotten in the period of the
// call, the period goes on in the heir of in.
// With a failure, the upstream may ask to be left alone for openFor.
func (in *incarnation) report(now int64, p breaker.Permit, o breaker.Outcome, openFor int64) {
	m := Message{Kind: Report, Permit: p, Outcome: o}
	if o == breaker.Failure {
		m.Request = in.Request()
		m.Request.OpenFor = openFor
	}
	for period := p.Generation; in.heir != nil; in = in.heir {
		if in.gate.generation.Load() != period {
			return
		}
		period, m.FromPredecessor = in.heir.born, true
	}
	in.turn(now, &m)
}

// reset is Engine.Reset.
func (in *incarnation) reset(now int64) {
	in.sketch.pardon(in.state.key)
	r := Request{Call: actors.NewCall[Answer]()}
	in.turn(now, &Message{Kind: Reset, Request: &r})
}

// mayRetire asks as the runtime asks before it forgets a key without a spill. If mayRetire returns
// true, the key is gone.
func (in *incarnation) mayRetire(now int64) bool {
	return (!in.left || in.next.Forget <= now) && in.Retire(now, &in.gate)
}

// fullAts and circuit return the parts of the key, from the gate or from the state, without a turn.
func (in *incarnation) fullAts() []int64 {
	if fullAt := in.gate.fullAt.Load(); fullAt >= 0 {
		fullAts := make([]int64, max(1, len(in.policy().Limits)))
		fullAts[0] = fullAt
		return fullAts
	}
	return slices.Clone(in.state.fullAts)
}

func (in *incarnation) circuit() (c breaker.Circuit) {
	if in.left {
		return in.state.circuit
	}
	c.Resume(in.gate.generation.Load())
	return c
}

// look is Engine.Inspect.
func (in *incarnation) look(now int64) (s Snapshot) {
	in.describe(now, &in.gate, &State{policy: in.policy(), fullAts: in.fullAts(), circuit: in.circuit()}, &s)
	return s
}

// randomBehavior returns a behavior of keys with few tokens and a breaker that opens soon, within
// nanoseconds, and whose open time may grow.
func randomBehavior(t *testing.T, r *rand.Rand) *Behavior {
	bucket := limiter.TokenBucket{Capacity: 1 + r.IntN(4), RefillRate: limiter.Per(1, time.Duration(1+r.IntN(20)))}
	leaky := limiter.LeakyBucket{Capacity: 1 + r.IntN(4), LeakRate: limiter.Per(1, time.Duration(1+r.IntN(20)))}
	c := settings{
		Limiter: []limiter.Limiter{bucket, bucket, leaky, limiter.All(bucket, leaky), nil}[r.IntN(5)],
		Mailbox: r.IntN(3) == 2,
		NoWait:  true,
	}
	if c.Limiter == nil || r.IntN(4) > 0 {
		c.Breaker = &breaker.Policy{
			FailureThreshold: 1 + r.IntN(3), RecoveryTimeout: time.Duration(1 + r.IntN(20)), HalfOpenSuccesses: 1 + r.IntN(2),
			HalfOpenProbes: 1 + r.IntN(2), ProbeTimeout: time.Duration(1 + r.IntN(20)), ForgetAfter: time.Duration(1 + r.IntN(60)),
		}
		if r.IntN(2) == 0 {
			c.Breaker.MaxRecovery = c.Breaker.RecoveryTimeout * time.Duration(1+r.IntN(9))
			c.Breaker.HalfOpenFailures = r.IntN(2)
			c.Breaker.RecoveryJitter, c.Breaker.Seed = 0.5*float64(r.IntN(3)), 1+r.Uint64N(9)
		}
	}
	return behaviorOf(t, c)
}
