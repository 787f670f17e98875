package limiter_test

import (
	"flag"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

var (
	seed  = flag.Uint64("limiter.seed", 0, "run the property tests of this package with this seed alone")
	cases = flag.Uint64("limiter.cases", 0, "run each property test of this package with so many seeds; 0 is a number of its own")
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
			t.Fatalf("%v\nreplay: go test ./limiter -run '^%s$' -limiter.seed=%d", err, t.Name(), s)
		}
	}
	t.Attr("cases", fmt.Sprint(last-first+1))
	t.Attr("failures", "0")
}

// spec is a bucket to be tried: capacity tokens, n every per nanoseconds.
type spec struct {
	capacity, n, per int64
	paced            bool
}

func (s spec) limiter() limiter.Limiter {
	rate := limiter.Per(s.n, time.Duration(s.per))
	if s.paced {
		return limiter.LeakyBucket{Capacity: int(s.capacity), LeakRate: rate}
	}
	return limiter.TokenBucket{Capacity: int(s.capacity), RefillRate: rate}
}

// interval is per/n rounded up.
func (s spec) interval() int64 { return int64((uint64(s.per) + uint64(s.n) - 1) / uint64(s.n)) }

// trial is one key under one or several limits, side by side with what is known to be right.
type trial struct {
	*key
	specs    []spec
	rounded  []*oracle // refilled once every interval, as the code promises
	ideal    []*oracle // refilled at the rate that was asked for; given what the code admits
	burst    []int64   // tokens admitted since the full-at last lay in the past
	admitted []admission
	now      int64
}

func newTrial(t testing.TB, birth int64, specs ...spec) *trial {
	tr := &trial{specs: specs, burst: make([]int64, len(specs)), now: birth}
	var members []limiter.Limiter
	for _, s := range specs {
		members = append(members, s.limiter())
		tr.rounded = append(tr.rounded, newOracle(s.capacity, big.NewRat(1, s.interval()), s.paced, birth))
		tr.ideal = append(tr.ideal, newOracle(s.capacity, big.NewRat(s.n, s.per), s.paced, birth))
	}
	tr.key = newKey(t, limiter.All(members...), birth)
	return tr
}

// call asks for n tokens at tr.now and takes them if it may, and says where the code differs from the oracles.
func (tr *trial) call(n int64, mode limiter.Mode) error {
	holds, want := true, tr.now
	for i, s := range tr.specs {
		holds = holds && n <= s.capacity
		want = max(want, tr.rounded[i].ready(tr.now, n, mode))
	}
	if got := tr.limits.Holds(n); got != holds {
		return fmt.Errorf("%+v: Holds(%d) = %t", tr.specs, n, got)
	}
	if !holds {
		return nil
	}
	if got := tr.ready(tr.now, n, mode); got != want {
		return fmt.Errorf("%+v at %d: Ready(%d, %t) = %d, the oracle has %d", tr.specs, tr.now, n, mode, got, want)
	}
	if want > tr.now {
		return nil
	}
	for i := range tr.specs {
		if tr.fullAts[i] <= tr.now {
			tr.burst[i] = 0
		}
		tr.burst[i] += n
		tr.rounded[i].take(tr.now, n)
		tr.ideal[i].take(tr.now, n)
	}
	tr.limits.Debit(tr.fullAts, tr.now, n)
	tr.admitted = append(tr.admitted, admission{tr.now, n})
	return tr.check()
}

// check compares the full-ats with the oracles after an admission.
func (tr *trial) check() error {
	for i := range tr.specs {
		fullAt := new(big.Rat).SetInt64(tr.fullAts[i])
		if full := tr.rounded[i].fullAt(); fullAt.Cmp(full) != 0 {
			return fmt.Errorf("%+v at %d: fullAt %d of limit %d, the oracle is full at %s", tr.specs, tr.now, tr.fullAts[i], i, full.RatString())
		}
		if tr.ideal[i].level.Sign() < 0 {
			return fmt.Errorf("%+v at %d: above the rate of limit %d", tr.specs, tr.now, i)
		}
		late := fullAt.Sub(fullAt, tr.ideal[i].fullAt())
		if late.Sign() < 0 || late.Cmp(new(big.Rat).SetInt64(tr.burst[i])) >= 0 {
			return fmt.Errorf("%+v at %d: limit %d is %s ns behind the ideal after %d tokens", tr.specs, tr.now, i, late.RatString(), tr.burst[i])
		}
	}
	return nil
}

// judge is the verdict over all windows.
func (tr *trial) judge() error {
	for i, s := range tr.specs {
		if e := excess(tr.admitted, s.capacity, s.n, s.per); e.Sign() > 0 {
			return fmt.Errorf("%+v: limit %d let through %v / %d tokens too many in some window", tr.specs, i, e, s.per)
		}
	}
	return nil
}

// randomSpec is a bucket of any size that is valid; small ones are the more frequent.
func randomSpec(r *rand.Rand) spec {
	s := spec{n: 1 + r.Int64N(1000), paced: r.IntN(3) == 0}
	s.per = s.n + r.Int64N(int64(1)<<(4+r.IntN(56)))
	s.capacity = 1 + r.Int64N(min(1<<(1+r.IntN(30)), (1<<61)/s.interval()))
	return s
}

// step is a time to let pass: none, little, about an interval, up to a moment around the next admission, or long.
func (tr *trial) step(r *rand.Rand) int64 {
	s := tr.specs[r.IntN(len(tr.specs))]
	next := tr.ready(tr.now, 1, limiter.Mode(r.IntN(2) == 0)) - tr.now
	switch r.IntN(6) {
	case 0:
		return 0
	case 1:
		return r.Int64N(3)
	case 2:
		return s.interval() + r.Int64N(3) - 1
	case 3:
		return max(0, next+r.Int64N(3)-1)
	case 4:
		return r.Int64N(s.interval()) + 1
	default:
		return r.Int64N(s.capacity*s.interval()) + 1
	}
}

func TestBucketEqualsTheOracle(t *testing.T) {
	seeds(t, 120, func(r *rand.Rand) error {
		specs := make([]spec, 1+r.IntN(3))
		for i := range specs {
			specs[i] = randomSpec(r)
		}
		tr := newTrial(t, r.Int64N(1<<61)-1<<60, specs...)
		for range 25 {
			if d := tr.step(r); tr.now+d < 1<<62-1<<61 {
				tr.now += d
			}
			n := 1 + r.Int64N(3)
			if r.IntN(4) == 0 {
				n = 1 + r.Int64N(specs[0].capacity+1)
			}
			if err := tr.call(n, limiter.Mode(r.IntN(2) == 0)); err != nil {
				return err
			}
		}
		return tr.judge()
	})
}

func TestGreedyCallsGetExactlyTheBound(t *testing.T) {
	tr := newTrial(t, 0, spec{capacity: 5, n: 1, per: 100})
	for range 1000 {
		tr.now = tr.ready(tr.now, 1, limiter.Immediate)
		require.NoError(t, tr.call(1, limiter.Immediate))
	}
	require.NoError(t, tr.judge())
	require.Zero(t, excess(tr.admitted, 5, 1, 100).Sign(), "greedy calls leave nothing over")
}
