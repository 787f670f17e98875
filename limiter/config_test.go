package limiter_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/limiter"
)

// faults are the errors that are joined in err, each a *ConfigError.
func faults(t testing.TB, err error) (list []*limiter.ConfigError) {
	parts := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		parts = joined.Unwrap()
	}
	for _, part := range parts {
		fault, ok := part.(*limiter.ConfigError)
		if !ok {
			t.Fatalf("%T: %v", part, part)
		}
		list = append(list, fault)
	}
	return list
}

const (
	positive = "must be positive: Per(n, d) with n and d above 0, or PerSecond(f) with f above 0"
	tooFast  = "must not be above 1e9 per second"
	tooSlow  = "is too slow: a token must come at least every 2^61 ns (73 years)"
)

func TestEveryInvalidRateIsNamed(t *testing.T) {
	for _, test := range []struct {
		rate   limiter.Rate
		reason string
	}{
		{limiter.Rate{}, positive},
		{limiter.Per(0, time.Second), positive},
		{limiter.Per(-1, time.Second), positive},
		{limiter.Per(1, 0), positive},
		{limiter.Per(1, -time.Second), positive},
		{limiter.Per(math.MinInt64, math.MinInt64), positive},
		{limiter.Per(1e9+1, time.Second), tooFast},
		{limiter.Per(2, 1), tooFast},
		{limiter.PerSecond(0), "must be positive"},
		{limiter.PerSecond(math.Copysign(0, -1)), "must be positive"},
		{limiter.PerSecond(-1), "must be positive"},
		{limiter.PerSecond(math.Inf(1)), "must be finite"},
		{limiter.PerSecond(math.Inf(-1)), "must be finite"},
		{limiter.PerSecond(1e9 + 1), tooFast},
		{limiter.PerSecond(math.MaxFloat64), tooFast},
		{limiter.PerSecond(4e-10), tooSlow},
		{limiter.PerSecond(math.SmallestNonzeroFloat64), tooSlow},
	} {
		want := &limiter.ConfigError{Field: "RefillRate", Value: test.rate, Reason: test.reason}
		err := limiter.TokenBucket{Capacity: 1, RefillRate: test.rate}.Validate()
		require.Equal(t, []*limiter.ConfigError{want}, faults(t, err))

		want.Field = "LeakRate"
		err = limiter.LeakyBucket{Capacity: 1, LeakRate: test.rate}.Validate()
		require.Equal(t, []*limiter.ConfigError{want}, faults(t, err))
	}
}

func TestEveryInvalidCapacityIsNamed(t *testing.T) {
	const small = "must be at least 1"
	const long = ": the bucket would take more than 2^61 ns (73 years) to fill"
	for _, test := range []struct {
		capacity int
		rate     limiter.Rate
		reason   string
	}{
		{0, limiter.PerSecond(1), small},
		{-1, limiter.PerSecond(1), small},
		{math.MinInt, limiter.PerSecond(1), small},
		{math.MaxInt, limiter.Per(1, time.Hour), "is too large for 1/1h0m0s" + long},
		{1<<30 + 1, limiter.Per(1, 1<<31), "is too large for 1/2.147483648s" + long},
		{2, limiter.Per(1, 1<<60+1), "is too large for 1/320255h58m24.606846977s" + long},
		{1, limiter.Per(1, 1<<61+1), "is too large for 1/640511h56m49.213693953s" + long},
		{1, limiter.Per(1, math.MaxInt64), "is too large for 1/2562047h47m16.854775807s" + long},
	} {
		want := []*limiter.ConfigError{{Field: "Capacity", Value: test.capacity, Reason: test.reason}}
		require.Equal(t, want, faults(t, limiter.TokenBucket{Capacity: test.capacity, RefillRate: test.rate}.Validate()))
		require.Equal(t, want, faults(t, limiter.LeakyBucket{Capacity: test.capacity, LeakRate: test.rate}.Validate()))
	}
	for _, l := range []limiter.Limiter{ // the largest that there may be
		limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.Per(1, 1<<31)},
		limiter.LeakyBucket{Capacity: 2, LeakRate: limiter.Per(1, 1<<60)},
		limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, 1<<61)},
	} {
		require.NoError(t, l.Validate())
	}
}

func TestEveryFaultIsNamedAtOnce(t *testing.T) {
	bad := limiter.TokenBucket{Capacity: -2, RefillRate: limiter.PerSecond(-7)}
	good := limiter.LeakyBucket{Capacity: 1, LeakRate: limiter.PerSecond(1)}
	for _, test := range []struct {
		l    limiter.Limiter
		want []string // as in "Field = value"
	}{
		{bad, []string{"RefillRate = -7/s: must be positive", "Capacity = -2: must be at least 1"}},
		{limiter.All(), []string{"All = no limiters: must have at least one"}},
		{limiter.All(nil), []string{"[0] = <nil>: must not be nil"}},
		{limiter.All(good, limiter.LeakyBucket{LeakRate: limiter.PerSecond(1)}), []string{"[1].Capacity = 0: must be at least 1"}},
		{limiter.All(bad, nil, good, limiter.All(), limiter.All(good, bad, nil)), []string{
			"[0].RefillRate = -7/s: must be positive",
			"[0].Capacity = -2: must be at least 1",
			"[1] = <nil>: must not be nil",
			"[3].All = no limiters: must have at least one",
			"[4].[1].RefillRate = -7/s: must be positive",
			"[4].[1].Capacity = -2: must be at least 1",
			"[4].[2] = <nil>: must not be nil",
		}},
	} {
		err := test.l.Validate()
		var got []string
		for _, fault := range faults(t, err) {
			got = append(got, fault.Error()[len("limiter: "):])
		}
		require.Equal(t, test.want, got)

		limits, compileErr := limiter.Compile(test.l)
		require.Nil(t, limits)
		require.Equal(t, err, compileErr)
		_, ok := errors.AsType[*limiter.ConfigError](err)
		require.True(t, ok)
	}
}

func TestNilIsNoLimiter(t *testing.T) {
	_, err := limiter.Compile(nil)
	require.EqualError(t, err, "limiter: Limiter = <nil>: must not be nil")
	require.Equal(t, "Limiter", faults(t, err)[0].Field)
}

func TestErrorsCarryThePrefixOfThePackage(t *testing.T) {
	require.EqualError(t, limiter.ErrLimited, "limiter: limited")
	require.EqualError(t, limiter.ErrExceedsCapacity, "limiter: more than the capacity")
}

func TestANilPointerToABucketIsNoLimiter(t *testing.T) {
	var token *limiter.TokenBucket
	var leaky *limiter.LeakyBucket
	for _, l := range []limiter.Limiter{token, leaky, limiter.All(token), limiter.All(leaky)} {
		_, err := limiter.Compile(l)
		require.ErrorContains(t, err, "must not be nil")
	}
	_, err := limiter.Compile(&limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(1)})
	require.NoError(t, err, "a pointer to a bucket will do")
}
