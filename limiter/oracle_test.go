package limiter_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

// oracle is the bucket of the textbook in exact fractions: a level that rises continuously up to the capacity. It knows
// nothing of full-ats and intervals. Instants must not run back.
type oracle struct {
	capacity, level *big.Rat // tokens
	rate            *big.Rat // tokens per nanosecond
	at              int64    // the instant of level
	paced           bool
}

func newOracle(capacity int64, rate *big.Rat, paced bool, birth int64) *oracle {
	full := new(big.Rat).SetInt64(capacity)
	return &oracle{capacity: full, level: full, rate: rate, at: birth, paced: paced}
}

// levelAt brings the level to now.
func (o *oracle) levelAt(now int64) *big.Rat {
	if now == o.at {
		return o.level
	}
	gain := new(big.Rat).SetInt64(now - o.at)
	gain.Add(gain.Mul(gain, o.rate), o.level)
	if gain.Cmp(o.capacity) > 0 {
		gain = o.capacity
	}
	o.level, o.at = gain, now
	return gain
}

// ready is the first whole nanosecond, now or later, with enough in the bucket: n tokens, or all of them for a Queued.
func (o *oracle) ready(now, n int64, mode limiter.Mode) int64 {
	need := new(big.Rat).SetInt64(n)
	if o.paced && mode == limiter.Queued {
		need = o.capacity
	}
	missing := new(big.Rat).Sub(need, o.levelAt(now))
	if missing.Sign() <= 0 {
		return now
	}
	return now + ceil(missing.Quo(missing, o.rate))
}

func (o *oracle) take(now, n int64) {
	o.level = new(big.Rat).Sub(o.levelAt(now), new(big.Rat).SetInt64(n))
}

// fullAt is how far the bucket is from full in time, as an instant.
func (o *oracle) fullAt() *big.Rat {
	missing := new(big.Rat).Sub(o.capacity, o.level)
	missing.Quo(missing, o.rate)
	return missing.Add(missing, new(big.Rat).SetInt64(o.at))
}

// ceil is the smallest integer that is not below r, which is positive.
func ceil(r *big.Rat) int64 {
	q, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return q.Int64()
}

// admission is n tokens that were let through at an instant.
type admission struct{ at, n int64 }

// excess is by how much the busiest of all windows lies above capacity + n/per × its length, in tokens times per: above 0
// is a breach. Admissions are in the order of time. One pass: with D = admitted × per - n × t, counted with the admission
// at a window's end and without the one at its start, it is the largest rise of D.
func excess(admissions []admission, capacity, n, per int64) *big.Int {
	var (
		scale = big.NewInt(per)
		sum   = new(big.Int)
		low   *big.Int
		worst = new(big.Int).Mul(big.NewInt(-capacity), scale)
		bound = new(big.Int).Set(worst)
	)
	for _, a := range admissions {
		leaked := new(big.Int).Mul(big.NewInt(n), big.NewInt(a.at))
		before := new(big.Int).Sub(new(big.Int).Mul(sum, scale), leaked)
		sum.Add(sum, big.NewInt(a.n))
		after := new(big.Int).Sub(new(big.Int).Mul(sum, scale), leaked)
		if low == nil || before.Cmp(low) < 0 {
			low = before
		}
		if rise := after.Sub(after, low).Add(after, bound); rise.Cmp(worst) > 0 {
			worst = rise
		}
	}
	return worst
}

func TestExcessSeesEveryBreach(t *testing.T) {
	for _, test := range []struct {
		name       string
		admissions []admission
		want       int64 // capacity 3, 1 per 10 ns
	}{
		{"nothing", nil, -30},
		{"one", []admission{{5, 1}}, -20},
		{"the capacity at once", []admission{{5, 2}, {5, 1}}, 0},
		{"one more at once", []admission{{5, 2}, {5, 2}}, 10},
		{"one more just in time", []admission{{5, 3}, {15, 1}}, 0},
		{"one more 1 ns early", []admission{{5, 3}, {14, 1}}, 1},
		{"a burst across the edge of a second window", []admission{{0, 1}, {95, 3}, {100, 2}}, 15},
		{"a breach in the middle of a quiet time", []admission{{0, 1}, {500, 4}, {9000, 1}}, 10},
		{"idle time saves nothing up", []admission{{0, 3}, {1_000_000, 3}}, 0},
	} {
		require.EqualValues(t, test.want, excess(test.admissions, 3, 1, 10).Int64(), test.name)
	}
}

func TestTheOracleIsATextbookBucket(t *testing.T) {
	o := newOracle(3, big.NewRat(3, second), false, 0)
	require.EqualValues(t, 0, o.ready(0, 3, limiter.Immediate))
	o.take(0, 3)
	require.EqualValues(t, 333_333_334, o.ready(0, 1, limiter.Immediate))
	require.EqualValues(t, second, o.ready(10, 3, limiter.Immediate))
	o.take(500*ms, 1)
	require.Equal(t, "1/2", o.level.RatString())
	require.Equal(t, big.NewRat(second+second/3+1, 1).Num().Int64(), ceil(o.fullAt()))
	require.Equal(t, "3", o.levelAt(int64(time.Hour)).RatString())
}
