package breaker_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

var (
	seed  = flag.Uint64("breaker.seed", 0, "run the property tests of this package with this seed alone")
	cases = flag.Uint64("breaker.cases", 0, "run each property test of this package with so many seeds; 0 is a number of its own")
)

// seeds runs a property with n seeds, with as many as the flag says, or with the one of the flag, and says how to replay the one that
// fails.
func seeds(t *testing.T, n uint64, property func(*rand.Rand) error) {
	t.Helper()
	first, last := uint64(1), n
	switch {
	case *seed != 0:
		first, last = *seed, *seed
	case *cases != 0:
		last = *cases
	}
	for s := first; s <= last; s++ {
		if err := property(rand.New(rand.NewPCG(s, 0))); err != nil {
			t.Attr("failures", "1")
			t.Fatalf("%v\nreplay: go test ./breaker -run '^%s$' -breaker.seed=%d", err, t.Name(), s)
		}
	}
	t.Attr("cases", fmt.Sprint(last-first+1))
	t.Attr("failures", "0")
}

// randomOutcome has more failures than others, or the breaker would seldom open.
func randomOutcome(r *rand.Rand) breaker.Outcome {
	return []breaker.Outcome{breaker.Failure, breaker.Failure, breaker.Success, breaker.Ignore}[r.IntN(4)]
}

// randomWish is how long an upstream asks to be left alone: mostly not at all.
func randomWish(r *rand.Rand) int64 { return max(0, r.Int64N(60)-30) * r.Int64N(2) }

// edge is a step to the next instant at which something happens, or to just before or after it.
func (m *machine) edge(r *rand.Rand) time.Duration {
	at := []int64{m.Ready(m.rules, m.now), m.LeaseEnds(), m.CleanAt(m.rules)}[r.IntN(3)]
	if at <= m.now || at > m.now+1000 {
		return time.Duration(r.IntN(4))
	}
	return time.Duration(max(0, at-m.now+r.Int64N(3)-1))
}

func TestCircuitEqualsTheNaiveModel(t *testing.T) {
	seen := map[breaker.State]int{}
	seeds(t, 700, func(r *rand.Rand) error {
		d := newDuel(t, randomPolicy(r))
		for range 60 {
			var err error
			switch r.IntN(4) {
			case 0:
				d.advance(d.edge(r))
				err = d.compare()
			case 1, 2:
				err = d.call()
			default:
				if i := r.IntN(len(d.permits) + 1); i < len(d.permits) && !d.reported[i] {
					err = d.end(i, randomOutcome(r), randomWish(r))
				}
			}
			if err != nil {
				return err
			}
			seen[d.machine.look().state]++
		}
		return nil
	})
	if *seed == 0 && *cases == 0 {
		for _, s := range []breaker.State{breaker.Closed, breaker.Open, breaker.HalfOpen} {
			require.Greater(t, seen[s], 3000, "the schedules hardly ever were %v", s)
		}
	}
}

// The circuit is lazy: what falls due takes effect when somebody looks. One that is looked at all the time must never
// answer anything else.
func TestLazyEqualsEager(t *testing.T) {
	seeds(t, 500, func(r *rand.Rand) error {
		p := randomPolicy(r)
		lazy, eager := newMachine(t, p), newMachine(t, p)
		var permits [][2]breaker.Permit
		for range 50 {
			until := lazy.now + int64(lazy.edge(r))
			lazy.now = until
			for eager.now < until {
				eager.now = min(until, eager.now+r.Int64N(3)+1)
				eager.Advance(eager.rules, eager.now)
			}
			if i := r.IntN(len(permits) + 1); i < len(permits) && r.IntN(2) == 0 {
				o := randomOutcome(r)
				wish := randomWish(r)
				lazy.end(permits[i][0], o, wish)
				eager.end(permits[i][1], o, wish)
			} else {
				a, passed := lazy.call()
				b, passes := eager.call()
				if passed != passes || a != b {
					return fmt.Errorf("%+v at %d: lazy %v %+v, eager %v %+v", p, until, passed, a, passes, b)
				}
				if passed {
					permits = append(permits, [2]breaker.Permit{a, b})
				}
			}
			if a, b := answers(lazy), answers(eager); a != b {
				return fmt.Errorf("%+v at %d: lazy %+v, eager %+v", p, until, a, b)
			}
		}
		return nil
	})
}

// answered is everything that can be asked of a circuit.
type answered struct {
	look                    look
	ready, cleanAt, leaseAt int64
	generation              uint64
	clean                   bool
}

func answers(m *machine) answered {
	return answered{m.look(), m.Ready(m.rules, m.now), m.CleanAt(m.rules), m.LeaseEnds(), m.Generation(), m.Clean()}
}

// TestPassesIsReadyAtALaterInstant: what Passes foresees is what Ready says on a circuit to which nothing
// happens until then, and nothing has changed.
func TestPassesIsReadyAtALaterInstant(t *testing.T) {
	later, closes := 0, 0
	seeds(t, 700, func(r *rand.Rand) error {
		d := newDuel(t, randomPolicy(r))
		for range 60 {
			switch r.IntN(3) {
			case 0:
				d.advance(d.edge(r))
			case 1:
				if err := d.call(); err != nil {
					return err
				}
			default:
				if i := r.IntN(len(d.permits) + 1); i < len(d.permits) && !d.reported[i] {
					if err := d.end(i, randomOutcome(r), randomWish(r)); err != nil {
						return err
					}
				}
			}
			before, m := answers(d.machine), *d.machine
			m.now += []int64{0, r.Int64N(10), r.Int64N(3000), int64(d.edge(r))}[r.IntN(4)]
			at := m.now
			passes := d.Passes(d.rules, at)
			if want := max(at, m.Ready(m.rules, at)); passes != want {
				return fmt.Errorf("%+v at %d: passes at %d from %d on, should be %d", d.Circuit, d.now, passes, at, want)
			}
			if passes > at {
				later++
				if before.ready <= d.now {
					closes++
				}
			}
			if after := answers(d.machine); after != before {
				return fmt.Errorf("Passes has changed %+v to %+v", before, after)
			}
		}
		return nil
	})
	if *seed == 0 {
		require.Greater(t, later, 1000)
		require.Greater(t, closes, 10, "passes now, and not later")
	}
}
