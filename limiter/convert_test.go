package limiter_test

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

// TestConvertKeepsTheTokens compares Convert with fractions of any size.
func TestConvertKeepsTheTokens(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	limits := func() limiter.Limits { return randomBucket(t, rng) }
	for range 200_000 {
		from, to := limits(), limits()
		at := rng.Int64N(1 << rng.IntN(60))
		seen := from[0].Seen(at)
		burst := int64(from[0].Capacity()) * unit(from)
		fullAt := seen + rng.Int64N(burst+1)
		switch debt := int64(1) << rng.IntN(60); rng.IntN(4) {
		case 0:
			fullAt = max(0, at-rng.Int64N(1<<40)) // full for some time
		case 1:
			if from[0].Windowed() {
				debt = min(debt, int64(from[0].Burst())-burst+1, 9*burst+1)
			}
			fullAt = seen + burst + rng.Int64N(debt)
		}
		rest := limiter.Rest{Part: rng.Uint64(), Until: at + 1}
		had := tokens(from, fullAt, rest, at)
		fullAts, rests := from.Convert(to, []int64{fullAt}, []limiter.Rest{rest}, at)
		if fullAts[0] == limiter.Never || from[0] == to[0] {
			continue
		}
		if to[0].Windowed() {
			if last := to[0].Seen(at) + int64(to[0].Burst()); fullAts[0] == last { // a debt ends with its window
				continue
			} else if fullAts[0] > last {
				t.Fatalf("%v to %v at %d, full at %d: %d is in the next window", from, to, at, fullAt, fullAts[0])
			}
		}
		is := limiter.Rest{}
		if rests != nil {
			is = rests[0]
			require.Equal(t, fullAts[0], is.Until)
		}
		has := tokens(to, fullAts[0], is, at)
		want := had
		if most := new(big.Rat).SetInt64(int64(to[0].Capacity())); want.Cmp(most) > 0 {
			want = most
		}
		lost := new(big.Rat).Sub(want, has)
		require.GreaterOrEqual(t, lost.Sign(), 0, "%v to %v at %d, full at %d: had %v, has %v", from, to, at, fullAt, had, has)
		grain := big.NewRat(1, unit(to)) // a nanosecond of the new limit
		if want.Sign() >= 0 {
			grain.Mul(grain, new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 64)))
		} else { // a debt has no rest
			grain.Add(grain, big.NewRat(1, unit(from)))
		}
		require.LessOrEqual(t, lost.Cmp(grain), 0, "%v to %v at %d, full at %d: had %v, has %v", from, to, at, fullAt, had, has)
	}
}

// tokens returns the tokens of a bucket at now, as a fraction.
func tokens(l limiter.Limits, fullAt int64, rest limiter.Rest, now int64) *big.Rat {
	seen := l[0].Seen(now)
	used := new(big.Rat).SetInt64(fullAt - seen)
	if now < rest.Until && fullAt > seen {
		used.Sub(used, new(big.Rat).SetFrac(new(big.Int).SetUint64(rest.Part), new(big.Int).Lsh(big.NewInt(1), 64)))
	}
	if used.Sign() < 0 {
		used.SetInt64(0)
	}
	used.Quo(used, new(big.Rat).SetInt64(unit(l)))
	return used.Sub(new(big.Rat).SetInt64(int64(l[0].Capacity())), used)
}

// unit returns the nanoseconds for which a token stands in the full-at of a limit.
func unit(l limiter.Limits) int64 {
	if l[0].Windowed() {
		return 1
	}
	return int64(l[0].Interval())
}

func randomBucket(t *testing.T, rng *rand.Rand) limiter.Limits {
	t.Helper()
	for {
		rate := limiter.Per(1+rng.Int64N(1000), time.Duration(1+rng.Int64N(1<<rng.IntN(50))))
		capacity := 1 + rng.IntN(1<<rng.IntN(20))
		var l limiter.Limiter = limiter.TokenBucket{Capacity: capacity, RefillRate: rate}
		if rng.IntN(3) == 0 {
			l = limiter.LeakyBucket{Capacity: capacity, LeakRate: rate}
		}
		if rng.IntN(3) == 0 {
			l = limiter.FixedWindow{Max: capacity, Per: time.Duration(1 + rng.Int64N(1<<rng.IntN(50))), Offset: time.Duration(rng.Int64())}
		}
		if limits, err := limiter.Compile(l); err == nil {
			return limits
		}
	}
}

// TestChangesThereAndBackWearNothingAway makes a thousand changes with time between them.
func TestChangesThereAndBackWearNothingAway(t *testing.T) {
	compile := func(capacity int, rate limiter.Rate) limiter.Limits {
		l, err := limiter.Compile(limiter.TokenBucket{Capacity: capacity, RefillRate: rate})
		require.NoError(t, err)
		return l
	}
	slow, fast := compile(10, limiter.Per(7, time.Minute)), compile(10, limiter.Per(1300, time.Second))
	now := int64(1)
	fullAts, rests := []int64{now + int64(slow[0].Interval())*10}, []limiter.Rest(nil) // empty
	var gained big.Rat
	for i := range 2000 {
		step := int64(1 + i%977)
		now += step
		from, to := slow, fast
		if i%2 == 1 {
			from, to = fast, slow
		}
		gained.Add(&gained, big.NewRat(step, int64(from[0].Interval())))
		fullAts, rests = from.Convert(to, fullAts, rests, now)
	}
	var rest limiter.Rest
	if rests != nil {
		rest = rests[0]
	}
	lost := new(big.Rat).Sub(&gained, tokens(slow, fullAts[0], rest, now))
	require.GreaterOrEqual(t, lost.Sign(), 0)
	require.Negative(t, lost.Cmp(big.NewRat(1, int64(fast[0].Interval()))), "less than a nanosecond of the faster limit")
}

// TestConvertMatchesByPosition also where there are none.
func TestConvertMatchesByPosition(t *testing.T) {
	compile := func(l limiter.Limiter) limiter.Limits {
		limits, err := limiter.Compile(l)
		require.NoError(t, err)
		return limits
	}
	bucket := limiter.TokenBucket{Capacity: 10, RefillRate: limiter.PerSecond(1)}
	other := limiter.TokenBucket{Capacity: 4, RefillRate: limiter.PerSecond(4)}
	second := int64(time.Second)
	empty := 100*second + 10*second // full-at of an empty bucket after 100 s

	fullAts, rests := compile(bucket).Convert(compile(limiter.Unlimited), []int64{empty}, nil, 100*second)
	require.Equal(t, []int64{100 * second}, fullAts, "one full-at, which is of no limit")
	require.Nil(t, rests)
	fullAts, _ = limiter.Limits(nil).Convert(compile(bucket), []int64{7}, nil, 100*second)
	require.Equal(t, []int64{100 * second}, fullAts, "a new limit starts full")
	fullAts, _ = compile(bucket).Convert(compile(limiter.All(other, bucket)), []int64{empty}, nil, 100*second)
	require.Equal(t, []int64{101 * second, 100 * second}, fullAts, "the first is empty, the second is new")
	fullAts, _ = compile(limiter.All(bucket, bucket)).Convert(compile(bucket), []int64{empty, 0}, nil, 100*second)
	require.Equal(t, []int64{empty}, fullAts, "the first has not changed")
}
