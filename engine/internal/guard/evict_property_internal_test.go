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

// TestForgettingAKeyThatMayRetireIsUnobservable gives two keys the same calls, outcomes, resets and time. One of them is forgotten, at
// random, whenever the runtime might forget it without a spill, and is born again. Every answer of the two is the same, and so is
// everything that Inspect shows.
func TestForgettingAKeyThatMayRetireIsUnobservable(t *testing.T) {
	forgotten, late := 0, 0
	n := cases(t, func(_ uint64, r *rand.Rand) error {
		b := randomBehavior(t, r)
		now := 1 + r.Int64N(100)
		kept, anew := bear(b, "kept", now), bear(b, "anew", now)
		var visits []visit
		for range 40 {
			now += r.Int64N(4) * r.Int64N(20)
			kept.wake(now)
			anew.wake(now)
			if r.IntN(2) == 0 && anew.mayRetire(now) {
				anew.heir = bear(b, "anew", now)
				anew = anew.heir
				forgotten++
			}
			switch i := r.IntN(3 * (len(visits) + 1)); {
			case i < len(visits) && b.policy.Breaks():
				v, o := visits[i], breaker.Outcome(r.IntN(3))
				visits = slices.Delete(visits, i, i+1)
				v.by[0].report(now, v.permits[0], o)
				v.by[1].report(now, v.permits[1], o)
				if v.by[1] != anew {
					late++
				}
			case r.IntN(12) == 0:
				kept.reset(now)
				anew.reset(now)
			default:
				tokens := int64(1)
				if b.policy.Limits.Holds(2) {
					tokens += r.Int64N(2)
				}
				d := randomDemand(r, tokens)
				x, y := kept.ask(now, d), anew.ask(now, d)
				if x.Err != y.Err || x.At != y.At || x.Permit.Lease != y.Permit.Lease {
					return fmt.Errorf("at %d: kept answers %+v, anew %+v", now, x, y)
				}
				if x.Err == nil && d.Breaker {
					visits = append(visits, visit{[2]*incarnation{kept, anew}, [2]breaker.Permit{x.Permit, y.Permit}})
				}
			}
			if a, b := kept.look(now), anew.look(now); !same(a, b) {
				return fmt.Errorf("at %d: kept is %+v, anew %+v", now, a, b)
			}
		}
		return nil
	})
	if n >= 3000 {
		require.Greater(t, forgotten, 3000, "hardly a key could be forgotten")
		require.Greater(t, late, 1000, "hardly a call outlived the key that let it through")
	}
}

// same reports whether two snapshots are equal. That of a key nobody waits for is all numbers.
func same(a, b Snapshot) bool {
	return a.Breaker == b.Breaker && a.Failures == b.Failures && a.OpenFor == b.OpenFor && a.Waiting == b.Waiting && slices.Equal(a.Limits, b.Limits)
}

// TestNothingIsGainedByASpill spills a key at any time at which the runtime might, and has it come back. The buckets are as they were; an
// open breaker is open until the same instant, and a half-open one is half-open, or open as if its last success had opened it. A closed
// one is closed, and has lost what it had counted.
func TestNothingIsGainedByASpill(t *testing.T) {
	var b *Behavior
	var sharing uint64 // few keys in a sketch, so that none finds the instants of another
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
				in.report(now, visits[i].permits[0], []breaker.Outcome{breaker.Failure, breaker.Failure, breaker.Success, breaker.Ignore}[r.IntN(4)])
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

// goAndComeBack spills the key and bears it again, and says what it should not be then.
func (in *incarnation) goAndComeBack(now int64) (*incarnation, error) {
	was, fullAts, circuit := in.look(now), in.fullAts(), in.circuit()
	in.Spill(in.state.key, &in.gate, in.atRest())
	again := bear(in.Behavior, in.state.key, now)
	is := again.look(now)
	for i, fullAt := range again.fullAts()[:len(in.policy.Limits)] {
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
	if wrong || was.Breaker != breaker.Closed && c.CleanAt(in.policy.rules) < circuit.CleanAt(in.policy.rules) {
		return nil, fmt.Errorf("%+v, clean at %d, became %+v, clean at %d", was, circuit.CleanAt(in.policy.rules), is, c.CleanAt(in.policy.rules))
	}
	return again, nil
}

// atRest is the state that the actor has left behind; nil if the gate says it all.
func (in *incarnation) atRest() *State {
	if !in.left {
		return nil
	}
	return &in.state
}
