package breaker_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

// TestAReopenedCircuitIsAtLeastAsStrict forgets circuits but for ProbeAt and makes them anew from that. One that was open answers every
// question as before; one that was half-open lets nothing through earlier, and is not clean earlier.
func TestAReopenedCircuitIsAtLeastAsStrict(t *testing.T) {
	reopened := map[breaker.State]int{}
	seeds(t, 1000, func(r *rand.Rand) error {
		m := newMachine(t, randomPolicy(r))
		var permits []breaker.Permit
		for range 60 {
			m.advance(m.edge(r))
			if p, ok := m.call(); ok {
				permits = append(permits, p)
			}
			if len(permits) > 0 && r.IntN(2) == 0 {
				i := r.IntN(len(permits))
				m.end(permits[i], randomOutcome(r), randomWish(r))
				permits = append(permits[:i], permits[i+1:]...)
			}
			state := m.look().state
			at := m.ProbeAt()
			if m.Admits() {
				if at != 0 {
					return fmt.Errorf("closed, and yet to be probed at %d", at)
				}
				continue
			}
			if m.LeaseEnds() != math.MaxInt64 {
				continue // not to be forgotten
			}
			reopened[state]++
			again := &machine{rules: m.rules, now: m.now}
			again.Reopen(m.rules, m.Generation(), at)
			again.Grow(m.rules, m.Growth())
			if m.OpenUntil() != 0 && answers(again) != answers(m) {
				return fmt.Errorf("at %d: was %+v, is %+v", m.now, answers(m), answers(again))
			}
			for range 20 {
				then := m.now + r.Int64N(100)
				was, is := m.Circuit, again.Circuit
				if is.Admits() || max(then, is.Ready(m.rules, then)) < max(then, was.Ready(m.rules, then)) || is.CleanAt(m.rules) < was.CleanAt(m.rules) {
					return fmt.Errorf("at %d, seen at %d: was %+v, is %+v", m.now, then, was, is)
				}
			}
		}
		return nil
	})
	if *seed == 0 && *cases == 0 {
		require.Greater(t, reopened[breaker.Open], 100)
		require.Greater(t, reopened[breaker.HalfOpen], 100)
	}
}
