package engine_test

import (
	"fmt"
	"math"
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
// negative if no window has more.
func (b bucket) excess(all []admission) int64 {
	return course{{bucket: b}}.excess(int64(b.interval), all)
}

// account follows a bucket whose grants are known to the instant and in order, as inside a bubble:
// there a call returns, and its function runs, at the very instant of the grant. After a pause the
// rest of a window's worth is the debt of the bucket, so that one sum answers for all windows. What a
// bucket lacks counts in shares: a token is so many shares that a bucket, whatever its interval,
// gains whole shares in a nanosecond.
type account struct {
	bucket          // in force; capacity 0: no limit
	token     int64 // shares; a multiple of the interval of every bucket that comes
	at        int64
	low, high int64 // shares that the bucket lacks at at, at least and at most; they differ after a reset
	resetAt   int64
	worst     int64 // shares; excess, as that of bucket
	changedAt int64 // the last change
	twiceAt   int64 // the last instant of two changes: a waiter may have been granted between them
	charged   int64 // shares, at the instant at: not in low yet
	deepest   int64 // shares that the bucket lacks at most because of charged
}

// newAccount begins an account of a full bucket in which a share is a nanosecond of the bucket.
func newAccount(b bucket) account {
	return account{bucket: b, token: int64(b.interval), resetAt: -1, changedAt: -1, twiceAt: -1, worst: math.MinInt64}
}

// flow brings the account to now.
func (a *account) flow(now int64) {
	if now > a.at {
		a.settleCharge()
	}
	if gained := a.gains(a.token) * (now - a.at); a.capacity > 0 {
		a.low, a.high = max(0, a.low-gained), max(0, a.high-gained)
	}
	a.at = now
}

// take is a grant. A grant in the instant of a reset may have come before or after the reset.
func (a *account) take(now, n int64) {
	if a.miss(now, n); now == a.resetAt || a.capacity == 0 {
		return
	}
	a.low += n * a.token
	a.worst = max(a.worst, a.low-a.capacity*a.token)
}

// miss says that the bucket may lack n tokens more, or not: they were taken at some instant until
// now.
func (a *account) miss(now, n int64) {
	if a.flow(now); a.capacity > 0 {
		a.high += n * a.token
	}
}

// reset is about to happen.
func (a *account) reset(now int64) { a.at, a.low, a.high, a.resetAt, a.charged = now, 0, 0, now, 0 }

// change has the account go on by another bucket: the tokens that are there stay, up to the new
// capacity. That is the same as the bound of every window: the capacity at its start, and each rate
// for as long as it held. After a time without a limit the bucket is full.
func (a *account) change(now int64, b bucket) {
	a.flow(now)
	a.settleCharge()
	if a.changedAt == now {
		a.twiceAt = now
	}
	a.changedAt = now
	more := (b.capacity - a.capacity) * a.token
	if a.low, a.high = max(0, a.low+more), max(0, a.high+more); a.capacity == 0 || b.capacity == 0 {
		a.low, a.high = 0, 0
	}
	a.bucket = b
}

// whole is so many shares in tokens, rounded up.
func (a *account) whole(shares int64) int64 { return (max(0, shares) + a.token - 1) / a.token }

// astray returns by how many tokens the bucket has too few (leaked) or too many (minted) at now.
func (a *account) astray(now int64, available float64) (leaked, minted int64) {
	a.flow(now)
	a.settleCharge()
	rounding := 16 * a.gains(a.token) // 16 ns, of available
	lacks := a.capacity*a.token - int64(math.Round(available*float64(a.token)))
	return a.whole(lacks - a.high - rounding), a.whole(min(a.low, a.capacity*a.token) - lacks - rounding) // a bucket shows no debt beyond that
}

// TestExcessOfAllWindows compares excess with naive, which looks at every window, for calls that
// take time and for calls that take none, while the bucket changes now and then. Both must find a single
// token too many.
func TestExcessOfAllWindows(t *testing.T) {
	rng := random(t)
	const token = 12 * 7
	for range 600 {
		draw := func() bucket {
			return bucket{1 + rng.Int64N(5), time.Duration(7 * []int64{1, 2, 3, 4, 6}[rng.IntN(5)])}
		}
		c := course{{bucket: draw()}}
		exact := newAccount(c[0].bucket)
		exact.token = token
		var calls, instants []admission
		now := int64(0)
		for range rng.IntN(40) {
			if now += 1 + rng.Int64N(60); rng.IntN(6) == 0 {
				b := draw()
				exact.change(now, b)
				c = c.change(now, token, b)
				continue
			}
			n := 1 + rng.Int64N(c[len(c)-1].capacity)
			calls = append(calls, admission{now, now + rng.Int64N(200), n})
			instants = append(instants, admission{now, now, n})
			exact.take(now, n)
		}
		require.Equal(t, c.naive(token, calls), c.excess(token, calls), "%+v %v", c, calls)
		require.Equal(t, exact.worst, c.excess(token, instants), "%+v %v", c, instants)
		require.LessOrEqual(t, max(0, c.excess(token, calls)), max(0, c.excess(token, instants)))
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
	charge := func(now, n int64) func(*account) { return func(a *account) { a.charge(now, n, true) } }
	require.Equal(t, "0 0", at(3*second, 0, charge(3*second, 60)))
	require.Equal(t, "0 0", at(51*second, 3, charge(3*second, 60)), "a debt of ten capacities, less 48 tokens")
	require.Equal(t, "0 1", at(51*second, 4, charge(3*second, 60)))
	require.Equal(t, "1 0", at(51*second, 2, charge(3*second, 60)))
	require.Equal(t, "0 0", at(4*second, 2, take(3*second, 1), charge(3*second, 3)), "in either order")
	change := func(now int64, b bucket) func(*account) { return func(a *account) { a.change(now, b) } }
	more := change(3*second, bucket{8, time.Second})
	require.Equal(t, "0 0", at(4*second, 6, more), "the tokens stay")
	require.Equal(t, "0 2", at(4*second, 8, more))
	require.Equal(t, "1 0", at(4*second, 5, more))
	require.Equal(t, "0 0", at(4*second, 2, take(3*second, 2), change(3*second, bucket{2, time.Second})))
	require.Equal(t, "0 0", at(4*second, 1, take(3*second, 5), change(3*second, bucket{})), "no limit, and a limit again")
}
