package guard

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
)

// visit is a call that two keys have let through.
type visit struct {
	by      [2]*incarnation
	permits [2]breaker.Permit
}

// TestForgettingAKeyThatMayRetireIsUnobservable gives two keys the same calls, outcomes, resets and
// time. One of the two is forgotten, at random, whenever the runtime might forget the key without a
// spill, and is born again. Both keys give the same answers, and look the same to Inspect.
func TestForgettingAKeyThatMayRetireIsUnobservable(t *testing.T) {
	forgotten, late := 0, 0
	n := cases(t, func(_ uint64, r *rand.Rand) error {
		b := randomBehavior(t, r)
		now := 1 + r.Int64N(100)
		p := pair{Rand: r, b: b, now: now, kept: bear(b, "kept", now), anew: bear(b, "anew", now)}
		for range 40 {
			p.pass()
			if err := p.step(); err != nil {
				return err
			}
		}
		forgotten += p.forgotten
		late += p.late
		return nil
	})
	if n >= 3000 {
		require.Greater(t, forgotten, 3000, "hardly a key could be forgotten")
		require.Greater(t, late, 1000, "hardly a call outlived the key that let it through")
	}
}

// pair is two keys that are given the same, of which only anew is forgotten at times.
type pair struct {
	*rand.Rand
	b               *Behavior
	now             int64
	kept, anew      *incarnation
	visits          []visit
	forgotten, late int // births of anew again; results for an anew that had been forgotten
}

// pass lets time pass, and may forget anew.
func (p *pair) pass() {
	p.now += p.Int64N(4) * p.Int64N(20)
	p.kept.wake(p.now)
	p.anew.wake(p.now)
	if p.IntN(2) == 0 && p.anew.mayRetire(p.now) {
		p.anew.heir = bear(p.b, "anew", p.now)
		p.anew = p.anew.heir
		p.forgotten++
	}
}

// step reports a result, resets, or asks, for both keys, and compares the keys.
func (p *pair) step() error {
	switch i := p.IntN(3 * (len(p.visits) + 1)); {
	case i < len(p.visits) && p.b.policy().Breaks():
		v, o := p.visits[i], breaker.Outcome(p.IntN(3))
		p.visits = slices.Delete(p.visits, i, i+1)
		openFor := max(0, p.Int64N(80)-40)
		v.by[0].report(p.now, v.permits[0], o, openFor)
		v.by[1].report(p.now, v.permits[1], o, openFor)
		if v.by[1] != p.anew {
			p.late++
		}
	case p.IntN(12) == 0:
		p.kept.reset(p.now)
		p.anew.reset(p.now)
	default:
		if err := p.ask(); err != nil {
			return err
		}
	}
	if a, b := p.kept.look(p.now), p.anew.look(p.now); !same(a, b) {
		return fmt.Errorf("at %d: kept is %+v, anew %+v", p.now, a, b)
	}
	return nil
}

// ask gives both keys the same demand, and compares the answers.
func (p *pair) ask() error {
	tokens := int64(1)
	if p.b.policy().Limits.Holds(2) {
		tokens += p.Int64N(2)
	}
	d := randomDemand(p.Rand, tokens)
	x, y := p.kept.ask(p.now, d), p.anew.ask(p.now, d)
	if x.Err != y.Err || x.At != y.At || x.Permit.Lease != y.Permit.Lease {
		return fmt.Errorf("at %d: kept answers %+v, anew %+v", p.now, x, y)
	}
	if x.Err == nil && d.Breaker {
		p.visits = append(p.visits, visit{[2]*incarnation{p.kept, p.anew}, [2]breaker.Permit{x.Permit, y.Permit}})
	}
	return nil
}

// same reports whether two snapshots of keys without waiters are equal.
func same(a, b Snapshot) bool {
	return a.Breaker == b.Breaker && a.Failures == b.Failures && a.OpenFor == b.OpenFor && a.Waiting == b.Waiting && slices.Equal(a.Limits, b.Limits)
}

// TestNothingIsGainedByASpill spills a key at any time at which the runtime might, and has the key
// come back. The buckets are the same as before. An open breaker is open until the same instant. A
// half-open breaker is half-open, or open as if its last counted outcome had opened it. Both have the
// growth of the open time that they had. A closed breaker is closed, and has lost its count of failures
// and the growth.
func TestNothingIsGainedByASpill(t *testing.T) {
	var b *Behavior
	var sharing uint64 // few keys share a sketch, so that no key finds the instants of another
	spilled := map[breaker.State]int{}
	n := cases(t, func(seed uint64, r *rand.Rand) error {
		if b == nil || seed/64 != sharing {
			sharing = seed / 64
			b = randomBehavior(t, rand.New(rand.NewPCG(sharing, 1)))
		}
		key := fmt.Sprint("key ", seed)
		now := 1 + r.Int64N(100)
		in := bear(b, key, now)
		var visits []visit
		for range 40 {
			now += r.Int64N(4) * r.Int64N(20)
			in.wake(now)
			switch i := r.IntN(2 * (len(visits) + 1)); {
			case i < len(visits):
				in.report(now, visits[i].permits[0], []breaker.Outcome{breaker.Failure, breaker.Failure, breaker.Success, breaker.Ignore}[r.IntN(4)], max(0, r.Int64N(80)-60))
				visits = slices.Delete(visits, i, i+1)
			case r.IntN(20) == 0:
				in.reset(now)
			default:
				if a := in.ask(now, randomDemand(r, 1)); a.Err == nil {
					visits = append(visits, visit{permits: [2]breaker.Permit{a.Permit}})
				}
			}
			if r.IntN(4) > 0 || in.SpillRank(&in.gate, in.atRest()) == actors.Never {
				continue
			}
			spilled[in.look(now).Breaker]++
			again, err := in.goAndComeBack(now)
			if err != nil {
				return fmt.Errorf("at %d: %w", now, err)
			}
			in = again
		}
		return nil
	})
	if n >= 3000 {
		for _, s := range []breaker.State{breaker.Closed, breaker.Open, breaker.HalfOpen} {
			require.Greater(t, spilled[s], 200, "hardly a key was %v when it was spilled", s)
		}
	}
}

// goAndComeBack spills the key and bears the key again. The error names a gain or a loss that must
// not be.
func (in *incarnation) goAndComeBack(now int64) (*incarnation, error) {
	was, fullAts, circuit := in.look(now), in.fullAts(), in.circuit()
	in.Spill(in.state.key, &in.gate, in.atRest())
	again := bear(in.Behavior, in.state.key, now)
	is := again.look(now)
	for i, fullAt := range again.fullAts()[:len(in.policy().Limits)] {
		if fullAt != max(fullAts[i], now) {
			return nil, fmt.Errorf("limit %d was full again at %d, is so at %d", i, fullAts[i], fullAt)
		}
	}
	c := again.circuit()
	wrong := false
	switch was.Breaker {
	case breaker.Closed:
		wrong = is.Failures > 0 || is.Breaker != breaker.Closed
	case breaker.Open:
		wrong = is.Breaker != breaker.Open || is.OpenFor != was.OpenFor
	case breaker.HalfOpen:
		wrong = is.Breaker == breaker.Closed
	}
	if was.Breaker != breaker.Closed && c.Growth() != circuit.Growth() {
		return nil, fmt.Errorf("%+v had grown %d times, is %+v and has grown %d times", was, circuit.Growth(), is, c.Growth())
	}
	if wrong || was.Breaker != breaker.Closed && c.CleanAt(in.policy().rules) < circuit.CleanAt(in.policy().rules) {
		return nil, fmt.Errorf("%+v, clean at %d, became %+v, clean at %d", was, circuit.CleanAt(in.policy().rules), is, c.CleanAt(in.policy().rules))
	}
	return again, nil
}

// atRest is the state that the actor has left behind, or nil if the actor has left only the gate.
func (in *incarnation) atRest() *State {
	if !in.left {
		return nil
	}
	return &in.state
}
