package engine_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

// bucket is a token bucket as the contract states the bucket, in whole nanoseconds: a token is
// worth interval. In a window of time w, n tokens are no excess as long as n × interval ≤ capacity
// × interval + w. Nothing is ever rounded.
type bucket struct {
	capacity int64
	interval time.Duration
}

func (b bucket) limiter() limiter.TokenBucket {
	return limiter.TokenBucket{Capacity: int(b.capacity), RefillRate: limiter.Per(1, b.interval)}
}

func (b bucket) burst() int64 { return b.capacity * int64(b.interval) }

// tokens is an excess in nanoseconds as a figure: whole tokens, rounded up; 0 when there is none.
func (b bucket) tokens(excess int64) int64 {
	return (max(0, excess) + int64(b.interval) - 1) / int64(b.interval)
}

// admission is n tokens that a call got. The tokens were taken at some instant from the beginning
// of the call until its end.
type admission struct{ began, ended, n int64 }

// excess returns the nanoseconds by which the worst of all windows has more than the bucket allows,
// negative if no window has more. A window counts only the calls that lie wholly inside the window,
// at any instant of taking, so that no order is blamed that did not happen.
//
// The windows that matter run from the beginning of a call to the end of another call. excess goes
// through the ends in order. For each beginning of a call that has ended by then, the tree holds
// the beginning plus the worth of the calls that began from there on.
func (b bucket) excess(all []admission) int64 {
	worst := int64(math.MinInt64)
	slices.SortFunc(all, func(x, y admission) int { return cmp.Compare(x.began, y.began) })
	byEnd := make([]int, len(all))
	for i := range byEnd {
		byEnd[i] = i
	}
	slices.SortFunc(byEnd, func(x, y int) int { return cmp.Compare(all[x].ended, all[y].ended) })
	leaves := 1
	for leaves < len(all) {
		leaves *= 2
	}
	type node struct {
		worth int64 // of the calls below
		best  int64 // of the beginnings below, each with the worth of the calls below that began from there on
	}
	tree := make([]node, 2*leaves)
	for i := range tree {
		tree[i].best = math.MinInt64 / 2
	}
	for _, i := range byEnd {
		worth := all[i].n * int64(b.interval)
		tree[leaves+i] = node{worth, all[i].began + worth}
		for at := (leaves + i) / 2; at > 0; at /= 2 {
			left, right := tree[2*at], tree[2*at+1]
			tree[at] = node{left.worth + right.worth, max(right.best, left.best+right.worth)}
		}
		worst = max(worst, tree[1].best-all[i].ended-b.burst())
	}
	return worst
}

// account follows a bucket whose grants are known to the instant and in order, as inside a bubble:
// there a call returns, and its function runs, at the very instant of the grant. After a pause the
// rest of a window's worth is the debt of the bucket, so that one sum answers for all windows.
type account struct {
	bucket
	low, high int64 // when the bucket is full again, at least and at most; they differ after a reset
	resetAt   int64
	worst     int64 // excess, as that of bucket
}

func newAccount(b bucket) account { return account{bucket: b, resetAt: -1, worst: math.MinInt64} }

// take is a grant. A grant in the instant of a reset may have come before or after the reset.
func (a *account) take(now, n int64) {
	cost := n * int64(a.interval)
	a.high = max(a.high, now) + cost
	if now == a.resetAt {
		return
	}
	a.low = max(a.low, now) + cost
	a.worst = max(a.worst, a.low-now-a.burst())
}

// miss says that the bucket may lack n tokens more, or not: they were taken at some instant until
// now.
func (a *account) miss(now, n int64) { a.high = max(a.high, now) + n*int64(a.interval) }

// reset is about to happen.
func (a *account) reset(now int64) { a.low, a.high, a.resetAt = now, now, now }

// astray returns by how many tokens the bucket has too few (leaked) or too many (minted) at now.
func (a *account) astray(now int64, available float64) (leaked, minted int64) {
	const rounding = 16 // ns, of available
	lacks := a.burst() - int64(math.Round(available*float64(a.interval)))
	return a.tokens(lacks - max(0, a.high-now) - rounding), a.tokens(max(0, a.low-now) - lacks - rounding)
}

// naive looks at every window there is.
func (b bucket) naive(all []admission) int64 {
	worst := int64(math.MinInt64)
	for _, from := range all {
		for _, to := range all {
			if to.ended < from.began {
				continue
			}
			var n int64
			for _, a := range all {
				if from.began <= a.began && a.ended <= to.ended {
					n += a.n
				}
			}
			if n > 0 {
				worst = max(worst, n*int64(b.interval)-(to.ended-from.began)-b.burst())
			}
		}
	}
	return worst
}

// TestExcessOfAllWindows compares excess with naive, which looks at every window, for calls that
// take time and for calls that take none. Both must find a single token too many.
func TestExcessOfAllWindows(t *testing.T) {
	rng := random(t)
	for range 300 {
		b := bucket{1 + rng.Int64N(5), time.Duration(1 + rng.Int64N(50))}
		var calls, instants []admission
		exact := newAccount(b)
		now := int64(0)
		for range rng.IntN(40) {
			now += rng.Int64N(60)
			n := 1 + rng.Int64N(b.capacity)
			calls = append(calls, admission{now, now + rng.Int64N(200), n})
			instants = append(instants, admission{now, now, n})
			exact.take(now, n)
		}
		require.Equal(t, b.naive(calls), b.excess(calls), "%+v %v", b, calls)
		require.Equal(t, exact.worst, b.excess(instants), "%+v %v", b, instants)
		require.LessOrEqual(t, b.excess(calls), b.excess(instants))
	}
	b := bucket{3, 10}
	within := []admission{{0, 0, 3}, {10, 10, 1}, {25, 25, 1}, {30, 30, 1}}
	require.Zero(t, b.excess(within))
	require.EqualValues(t, 1, b.tokens(b.excess(append(within, admission{30, 30, 1}))))
	require.Zero(t, b.excess(append(within, admission{30, 40, 1})), "it may have come at the end")
}

// The exact account finds a token that leaked and a token that was minted, and finds neither around
// a reset.
func TestAnAccountKnowsWhatIsMissing(t *testing.T) {
	at := func(now int64, available float64, does ...func(*account)) string {
		a := newAccount(bucket{5, time.Second})
		for _, do := range does {
			do(&a)
		}
		leaked, minted := a.astray(now, available)
		return fmt.Sprint(leaked, " ", minted)
	}
	const second = int64(time.Second)
	take := func(now, n int64) func(*account) { return func(a *account) { a.take(now, n) } }
	reset := func(now int64) func(*account) { return func(a *account) { a.reset(now) } }
	require.Equal(t, "0 0", at(3*second, 5))
	require.Equal(t, "0 0", at(3*second, 2.5, take(3*second-second/2, 3)))
	require.Equal(t, "1 0", at(3*second, 1.5, take(3*second-second/2, 3)))
	require.Equal(t, "0 1", at(3*second, 3.5, take(3*second-second/2, 3)))
	require.Equal(t, "0 0", at(3*second, 5, take(2*second, 5), reset(3*second), take(3*second, 2)), "before the reset")
	require.Equal(t, "0 0", at(3*second, 3, take(2*second, 5), reset(3*second), take(3*second, 2)), "after the reset")
	require.Equal(t, "1 0", at(3*second, 2, take(2*second, 5), reset(3*second), take(3*second, 2)))
	require.Equal(t, "0 1", at(4*second, 5, reset(3*second), take(3*second+1, 2)))
}
