package breaker_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

// TestRatesEqualTheNaiveModel: schedules with long and short calls, most of them successes, by policies with rates.
func TestRatesEqualTheNaiveModel(t *testing.T) {
	seen, trips := map[breaker.State]int{}, 0
	seeds(t, 1000, func(r *rand.Rand) error {
		d := newDuel(t, randomRates(r))
		bad := r.IntN(4) // of 6
		for range 70 {
			var err error
			was := d.machine.look().state
			switch r.IntN(5) {
			case 0:
				d.advance(d.edge(r))
				err = d.compare()
			case 1, 2:
				err = d.call()
			default:
				err = d.endSome(r, bad)
			}
			if err != nil {
				return err
			}
			if is := d.machine.look().state; is != was && is == breaker.Open {
				trips++
			}
			seen[d.machine.look().state]++
		}
		return nil
	})
	if *seed == 0 && *cases == 0 {
		require.Greater(t, trips, 300, "the breaker hardly ever opened")
		for _, s := range []breaker.State{breaker.Closed, breaker.Open, breaker.HalfOpen} {
			require.Greater(t, seen[s], 2000, "the schedules hardly ever were %v", s)
		}
	}
}

// endSome ends one of the calls before, if it has not ended.
func (d *duel) endSome(r *rand.Rand, bad int) error {
	i := r.IntN(len(d.permits) + 1)
	if i == len(d.permits) || d.reported[i] {
		return nil
	}
	o := breaker.Success
	switch n := r.IntN(7); {
	case n < bad:
		o = breaker.Failure
	case n == 6:
		o = breaker.Ignore
	}
	if r.IntN(3) == 0 {
		return d.endSlow(i, o, randomWish(r))
	}
	return d.end(i, o, randomWish(r))
}
