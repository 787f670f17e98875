package breaker_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

const second = int64(time.Second)

// counter answers 1, 2, 3 ...: the generations of a test.
func counter() func() uint64 {
	var n uint64
	return func() uint64 { n++; return n }
}

func TestTheDefaultsAreAsDocumented(t *testing.T) {
	require.NoError(t, breaker.Policy{}.Validate())
	r := breaker.Policy{}.Rules(counter())
	var c breaker.Circuit
	c.Renew(r)
	for range 4 {
		c.Report(r, 0, c.Admit(r, 0), breaker.Failure)
	}
	require.Equal(t, 60*second, c.CleanAt(r), "forgotten after 1 min")
	require.Zero(t, c.Ready(r, 0), "four failures: closed")
	c.Report(r, 0, c.Admit(r, 0), breaker.Failure)
	require.Equal(t, 5*second, c.Ready(r, 0), "the fifth opens it for 5 s")
	p := c.Admit(r, 5*second)
	require.Equal(t, 35*second, p.Lease, "a probe may take 30 s")
	require.Equal(t, 40*second, c.Ready(r, 5*second), "one probe at a time")
	c.Report(r, 6*second, p, breaker.Success)
	require.True(t, c.Clean(), "one success closes it")
}

func TestForgetAfterFollowsALongRecovery(t *testing.T) {
	for _, test := range []struct{ recovery, want time.Duration }{
		{time.Nanosecond, time.Minute},
		{6 * time.Second, time.Minute},
		{7 * time.Second, 70 * time.Second},
		{time.Hour, 10 * time.Hour},
		{1 << 61, (1 << 61) / 10 * 10}, // 10 × would not fit; never above 2^61
	} {
		r := breaker.Policy{FailureThreshold: 2, RecoveryTimeout: test.recovery}.Rules(counter())
		var c breaker.Circuit
		c.Report(r, 0, c.Admit(r, 0), breaker.Failure)
		require.Equal(t, test.want, time.Duration(c.CleanAt(r)), "RecoveryTimeout %v", test.recovery)
	}
}

func TestValidateNamesEveryBadField(t *testing.T) {
	const negative = "must not be negative (0 is the default)"
	const long = "must be at most 2^61 ns (73 years)"
	const limit = time.Duration(1 << 61)
	most := math.MaxInt32 // a variable, so that the sum below compiles for 32 bits
	for _, test := range []struct {
		policy breaker.Policy
		want   []breaker.ConfigError
	}{
		{breaker.Policy{}, nil},
		{breaker.Policy{1, 1, 1, limit, limit, 0, math.MaxInt, limit, 1, 1, math.MaxInt32, limit, limit, limit, 1, math.MaxUint64}, nil},
		{breaker.Policy{math.MaxInt, 0.5, 0.5, 1, 10, 0, 1, 1, math.MaxInt, math.MaxInt, 1, 1, 1, 1, 0.5, 1}, nil},
		{breaker.Policy{FailureThreshold: -1}, []breaker.ConfigError{{"FailureThreshold", -1, negative}}},
		{breaker.Policy{HalfOpenSuccesses: math.MinInt}, []breaker.ConfigError{{"HalfOpenSuccesses", math.MinInt, negative}}},
		{breaker.Policy{HalfOpenProbes: -3}, []breaker.ConfigError{{"HalfOpenProbes", -3, negative}}},
		{breaker.Policy{RecoveryTimeout: -1}, []breaker.ConfigError{{"RecoveryTimeout", time.Duration(-1), negative}}},
		{breaker.Policy{RecoveryTimeout: limit + 1}, []breaker.ConfigError{{"RecoveryTimeout", limit + 1, long}}},
		{breaker.Policy{ProbeTimeout: -time.Hour}, []breaker.ConfigError{{"ProbeTimeout", -time.Hour, negative}}},
		{breaker.Policy{ProbeTimeout: math.MaxInt64}, []breaker.ConfigError{{"ProbeTimeout", time.Duration(math.MaxInt64), long}}},
		{breaker.Policy{ForgetAfter: math.MinInt64}, []breaker.ConfigError{{"ForgetAfter", time.Duration(math.MinInt64), negative}}},
		{breaker.Policy{ForgetAfter: limit + 1}, []breaker.ConfigError{{"ForgetAfter", limit + 1, long}}},
		{breaker.Policy{HalfOpenFailures: -1}, []breaker.ConfigError{{"HalfOpenFailures", -1, negative}}},
		{breaker.Policy{HalfOpenFailures: most + 1}, []breaker.ConfigError{{"HalfOpenFailures", most + 1, "must be at most 2^31 - 1"}}},
		{breaker.Policy{MaxRecovery: 5 * time.Second}, nil},
		{breaker.Policy{MaxRecovery: 5*time.Second - 1}, []breaker.ConfigError{
			{"MaxRecovery", 5*time.Second - 1, "must be at least RecoveryTimeout, 5s (0 is the default)"},
		}},
		{breaker.Policy{RecoveryTimeout: time.Minute, MaxRecovery: 10 * time.Second}, []breaker.ConfigError{
			{"MaxRecovery", 10 * time.Second, "must be at least RecoveryTimeout, 1m0s (0 is the default)"},
		}},
		{breaker.Policy{MaxRecovery: -time.Second}, []breaker.ConfigError{{"MaxRecovery", -time.Second, negative}}},
		{breaker.Policy{MaxRecovery: limit + 1}, []breaker.ConfigError{{"MaxRecovery", limit + 1, long}}},
		{breaker.Policy{RecoveryTimeout: limit + 1, MaxRecovery: time.Hour}, []breaker.ConfigError{{"RecoveryTimeout", limit + 1, long}}},
		{breaker.Policy{RecoveryJitter: -0.1}, []breaker.ConfigError{{"RecoveryJitter", -0.1, "must be from 0 to 1"}}},
		{breaker.Policy{RecoveryJitter: 1.5}, []breaker.ConfigError{{"RecoveryJitter", 1.5, "must be from 0 to 1"}}},
		{breaker.Policy{RecoveryJitter: math.Inf(1)}, []breaker.ConfigError{{"RecoveryJitter", math.Inf(1), "must be from 0 to 1"}}},
		{breaker.Policy{FailureRate: 1, Window: 10, MinCalls: math.MaxInt}, nil},
		{breaker.Policy{FailureRate: 0.1, WindowCalls: 100_000, MinCalls: 100_000}, nil},
		{breaker.Policy{Window: time.Minute, MinCalls: 3, SlowAfter: time.Second}, nil},
		{breaker.Policy{FailureRate: 1.01}, []breaker.ConfigError{{"FailureRate", 1.01, "must be from 0 to 1"}}},
		{breaker.Policy{SlowRate: -0.5, SlowAfter: 1}, []breaker.ConfigError{{"SlowRate", -0.5, "must be from 0 to 1"}}},
		{breaker.Policy{SlowRate: 0.5}, []breaker.ConfigError{{"SlowAfter", time.Duration(0), "must be set with SlowRate"}}},
		{breaker.Policy{Window: 9}, []breaker.ConfigError{{"Window", time.Duration(9), "must be at least 10 ns (0 is the default)"}}},
		{breaker.Policy{Window: limit + 1}, []breaker.ConfigError{{"Window", limit + 1, long}}},
		{breaker.Policy{WindowCalls: 100_001}, []breaker.ConfigError{{"WindowCalls", 100_001, "must be at most 100000"}}},
		{breaker.Policy{Window: time.Second, WindowCalls: 30}, []breaker.ConfigError{
			{"Window", time.Second, "must be 0 with WindowCalls, which is 30"},
		}},
		{breaker.Policy{WindowCalls: 30, MinCalls: 31}, []breaker.ConfigError{{"MinCalls", 31, "must be at most WindowCalls, 30"}}},
		{breaker.Policy{-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12, -13, -14, -15, 0}, []breaker.ConfigError{
			{"FailureThreshold", -1, negative}, {"HalfOpenSuccesses", -9, negative}, {"HalfOpenProbes", -10, negative},
			{"HalfOpenFailures", -11, negative}, {"WindowCalls", -6, negative}, {"MinCalls", -7, negative},
			{"RecoveryTimeout", time.Duration(-8), negative}, {"ProbeTimeout", time.Duration(-12), negative},
			{"ForgetAfter", time.Duration(-13), negative}, {"MaxRecovery", time.Duration(-14), negative},
			{"Window", time.Duration(-5), negative}, {"SlowAfter", time.Duration(-4), negative},
			{"RecoveryJitter", -15.0, "must be from 0 to 1"}, {"FailureRate", -2.0, "must be from 0 to 1"}, {"SlowRate", -3.0, "must be from 0 to 1"},
		}},
	} {
		err := test.policy.Validate()
		if test.want == nil {
			require.NoError(t, err)
			continue
		}
		var got []breaker.ConfigError
		for _, part := range err.(interface{ Unwrap() []error }).Unwrap() {
			got = append(got, *part.(*breaker.ConfigError))
		}
		require.Equal(t, test.want, got)
		first, ok := errors.AsType[*breaker.ConfigError](err)
		require.True(t, ok)
		require.Equal(t, test.want[0], *first)
	}
}

func TestAShareThatIsNoNumberIsRefused(t *testing.T) {
	require.EqualError(t, breaker.Policy{RecoveryJitter: math.NaN()}.Validate(), "breaker: RecoveryJitter = NaN: must be from 0 to 1")
	require.EqualError(t, breaker.Policy{FailureRate: math.NaN()}.Validate(), "breaker: FailureRate = NaN: must be from 0 to 1")
}

func TestErrorsCarryThePrefixOfThePackage(t *testing.T) {
	require.EqualError(t, breaker.ErrOpen, "breaker: open")
	require.EqualError(t, breaker.Policy{FailureThreshold: -1}.Validate(),
		"breaker: FailureThreshold = -1: must not be negative (0 is the default)")
}

func TestStrings(t *testing.T) {
	for want, s := range map[string]interface{ String() string }{
		"closed": breaker.Closed, "open": breaker.Open, "half-open": breaker.HalfOpen, "State(3)": breaker.State(3),
		"success": breaker.Success, "failure": breaker.Failure, "ignore": breaker.Ignore, "Outcome(255)": breaker.Outcome(255),
	} {
		require.Equal(t, want, s.String())
	}
	require.Equal(t, breaker.Closed, *new(breaker.State), "the zero State")
}
