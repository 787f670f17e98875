package breaker_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

// TestForgettingACleanCircuitIsUnobservable gives two circuits the same calls and outcomes. One of them is forgotten whenever it has
// come to equal a new one, at random, and is made anew: what was let through in the period in which it went counts in the new
// one, until that has a transition. Nothing that can be asked of the two tells one from the other.
func TestForgettingACleanCircuitIsUnobservable(t *testing.T) {
	forgotten, late := 0, 0
	seeds(t, 1500, func(r *rand.Rand) error {
		p := randomPolicy(r)
		kept, anew := newMachine(t, p), &mortal{newMachine(t, p), map[uint64]uint64{}}
		var permits [][2]breaker.Permit
		for range 50 {
			kept.advance(kept.edge(r))
			anew.now = kept.now
			if kept.CleanAt(kept.rules) <= kept.now && r.IntN(2) == 0 {
				anew.die()
				forgotten++
			}
			if i := r.IntN(len(permits) + 1); i < len(permits) && r.IntN(2) == 0 {
				o := randomOutcome(r)
				if permits[i][1].Generation != anew.Generation() {
					late++
				}
				wish := randomWish(r)
				kept.end(permits[i][0], o, wish)
				anew.report(permits[i][1], o, wish)
				permits = append(permits[:i], permits[i+1:]...)
			} else {
				a, passed := kept.call()
				b, passes := anew.call()
				if passed != passes || a.Lease != b.Lease {
					return fmt.Errorf("%+v at %d: kept %v %+v, anew %v %+v", p, kept.now, passed, a, passes, b)
				}
				if passed {
					permits = append(permits, [2]breaker.Permit{a, b})
				}
			}
			a, b := answers(kept), answers(anew.machine)
			if a.generation, b.generation = 0, 0; a != b {
				return fmt.Errorf("%+v at %d: kept %+v, anew %+v", p, kept.now, a, b)
			}
		}
		return nil
	})
	if *seed == 0 && *cases == 0 {
		require.Greater(t, forgotten, 5000, "hardly a circuit was ever clean")
		require.Greater(t, late, 5000, "hardly a call outlived the circuit that let it through")
	}
}

// mortal is a circuit that may be forgotten and made anew.
type mortal struct {
	*machine
	next map[uint64]uint64 // from the period in which it was forgotten, to the first one of its next life
}

func (m *mortal) die() {
	last := m.Generation()
	m.Renew(m.rules)
	m.next[last] = m.Generation()
}

// report is of a call that may have begun in an earlier life. The period that let it through goes on in the next life, if there was none
// after it in its own.
func (m *mortal) report(p breaker.Permit, o breaker.Outcome, wish int64) {
	for next, ok := m.next[p.Generation]; ok; next, ok = m.next[p.Generation] {
		p.Generation = next
	}
	m.end(p, o, wish)
}
