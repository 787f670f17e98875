package breaker_test

import (
	"math"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

// trip has a machine that lets a call through open, and returns for how long.
func (m *machine) trip(t *testing.T) time.Duration {
	t.Helper()
	m.report(m.must(t), breaker.Failure)
	require.Equal(t, breaker.Open, m.look().state)
	return m.look().openFor
}

// recovers closes a machine that is open.
func (m *machine) recovers(t *testing.T) {
	t.Helper()
	m.now = max(m.now, m.Ready(m.rules, m.now))
	m.ends(t, 1, breaker.Success)
	require.Equal(t, breaker.Closed, m.look().state)
}

func TestTheOpenTimeDoublesWithEachTripUpToMaxRecovery(t *testing.T) {
	const s = time.Second
	for name, test := range map[string]struct {
		policy breaker.Policy
		want   []time.Duration
	}{
		"by default it does not grow":        {breaker.Policy{}, []time.Duration{5 * s, 5 * s, 5 * s}},
		"MaxRecovery equals RecoveryTimeout": {breaker.Policy{RecoveryTimeout: s, MaxRecovery: s}, []time.Duration{s, s, s}},
		"up to a multiple":                   {breaker.Policy{MaxRecovery: 40 * s}, []time.Duration{5 * s, 10 * s, 20 * s, 40 * s, 40 * s}},
		"up to any other time":               {breaker.Policy{RecoveryTimeout: s, MaxRecovery: 3 * s}, []time.Duration{s, 2 * s, 3 * s, 3 * s}},
		"just above":                         {breaker.Policy{RecoveryTimeout: s, MaxRecovery: s + 1}, []time.Duration{s, s + 1, s + 1}},
	} {
		t.Run(name, func(t *testing.T) {
			test.policy.FailureThreshold = 1
			failing, flapping := newMachine(t, test.policy), newMachine(t, test.policy)
			for i, want := range test.want {
				require.Equal(t, want, failing.trip(t), "trip %d, of a probe", i+1)
				failing.advance(want)
				require.Equal(t, want, flapping.trip(t), "trip %d, just after a recovery", i+1)
				flapping.recovers(t)
			}
		})
	}
}

func TestTheOpenTimeStepsBackOncePerRecoverySpentClosed(t *testing.T) {
	policy := breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Second, MaxRecovery: 8 * time.Second, ForgetAfter: 1}
	for healthy, want := range map[time.Duration]time.Duration{
		0: 8 * time.Second, time.Second - 1: 8 * time.Second,
		time.Second: 4 * time.Second, 2*time.Second - 1: 4 * time.Second,
		2 * time.Second: 2 * time.Second, 3 * time.Second: time.Second, time.Hour: time.Second,
	} {
		m := newMachine(t, policy)
		for range 9 { // six more than make a difference
			m.trip(t)
			m.recovers(t)
		}
		closed := m.now
		require.Equal(t, closed+3*second, m.CleanAt(m.rules))
		require.Equal(t, 3, m.Growth())
		m.advance(healthy)
		m.Advance(m.rules, m.now)
		require.Equal(t, healthy >= 3*time.Second, m.Clean(), "clean after %v", healthy)
		require.False(t, m.Counts(), "a success has nothing to report")
		require.Equal(t, look{breaker.Closed, 0, 0}, m.look())
		require.Equal(t, want, m.trip(t), "after %v", healthy)
	}
}

func TestForgettingAndRenewForgetTheGrowth(t *testing.T) {
	for name, forget := range map[string]func(*machine){
		"Renew": func(m *machine) { m.Renew(m.rules) },
		"nobody probes an open breaker": func(m *machine) {
			m.now = m.CleanAt(m.rules)
			m.Advance(m.rules, m.now)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, breaker.Policy{FailureThreshold: 1, MaxRecovery: time.Minute})
			m.trip(t)
			m.recovers(t)
			require.Equal(t, 10*time.Second, m.trip(t))
			require.Equal(t, m.now+10*second+55*second, m.CleanAt(m.rules), "ForgetAfter less RecoveryTimeout after a probe may come")
			forget(m)
			require.True(t, m.Clean())
			require.Equal(t, 5*time.Second, m.trip(t))
		})
	}
}

func TestTheOpenTimeIsWithinItsJitter(t *testing.T) {
	for _, test := range []struct{ recovery, longest time.Duration }{
		{5 * time.Second, 0}, {time.Second, time.Minute}, {1, 0}, {1, 3}, {1 << 61, 0}, {1 << 60, 1 << 61}, {3, 1 << 61},
	} {
		for _, jitter := range []float64{0.1, 0.5, 1} {
			p := breaker.Policy{FailureThreshold: 1, RecoveryTimeout: test.recovery, MaxRecovery: test.longest, RecoveryJitter: jitter, Seed: 7}
			least, most := 1.0, 0.0
			for at := range int64(150) {
				m, again := newMachine(t, p), newMachine(t, p)
				m.now, again.now = at*at, at*at
				for full := test.recovery; ; full = min(2*full, test.longest) {
					is := m.trip(t)
					require.Equal(t, is, again.trip(t), "the seed makes it repeat")
					require.LessOrEqual(t, is, full)
					require.GreaterOrEqual(t, is, max(1, full-time.Duration(jitter*float64(full))-1), "%v of %v", jitter, full)
					if full > 1000 {
						least, most = min(least, float64(is)/float64(full)), max(most, float64(is)/float64(full))
					}
					if full >= test.longest || m.now > 1<<60 {
						break
					}
					m.advance(is)
					again.advance(is)
				}
			}
			if test.recovery > 1000 {
				require.InDelta(t, 1-jitter, least, 0.05)
				require.InDelta(t, 1, most, 0.05)
			}
		}
	}
}

func TestSeedsDifferAndWithoutASeedTheJitterIsRandom(t *testing.T) {
	times := func(seed uint64) (open [20]time.Duration) {
		m := newMachine(t, breaker.Policy{FailureThreshold: 1, RecoveryJitter: 0.5, Seed: seed})
		for i := range open {
			open[i] = m.trip(t)
			m.recovers(t)
		}
		return open
	}
	require.Equal(t, times(1), times(1))
	require.NotEqual(t, times(1), times(2))
	require.NotEqual(t, times(0), times(0))
}

func TestAnUpstreamAsksForAnOpenTime(t *testing.T) {
	const s = time.Second
	for name, test := range map[string]struct {
		policy   breaker.Policy
		failures int // before
		asked    time.Duration
		want     look
	}{
		"it opens with the first failure":       {breaker.Policy{MaxRecovery: time.Minute}, 0, 20 * s, look{breaker.Open, 0, 20 * s}},
		"for less than RecoveryTimeout, too":    {breaker.Policy{MaxRecovery: time.Minute}, 0, 1, look{breaker.Open, 0, 1}},
		"for MaxRecovery at most":               {breaker.Policy{MaxRecovery: time.Minute}, 0, math.MaxInt64, look{breaker.Open, 0, time.Minute}},
		"exactly, whatever the jitter":          {breaker.Policy{MaxRecovery: time.Minute, RecoveryJitter: 1}, 0, 20 * s, look{breaker.Open, 0, 20 * s}},
		"a trip that was due is not shortened":  {breaker.Policy{MaxRecovery: time.Minute}, 4, s, look{breaker.Open, 0, 5 * s}},
		"a trip that was due may be longer":     {breaker.Policy{MaxRecovery: time.Minute}, 4, 20 * s, look{breaker.Open, 0, 20 * s}},
		"0 is no wish":                          {breaker.Policy{MaxRecovery: time.Minute}, 1, 0, look{breaker.Closed, 2, 0}},
		"nor is a time below 0":                 {breaker.Policy{MaxRecovery: time.Minute}, 1, -s, look{breaker.Closed, 2, 0}},
		"without MaxRecovery nobody is asked":   {breaker.Policy{}, 1, 20 * s, look{breaker.Closed, 2, 0}},
		"nor is the open time without it other": {breaker.Policy{}, 4, 20 * s, look{breaker.Open, 0, 5 * s}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, test.policy)
			m.ends(t, test.failures, breaker.Failure)
			m.end(m.must(t), breaker.Failure, int64(test.asked))
			require.Equal(t, test.want, m.look())
		})
	}
}

func TestATripThatTheUpstreamAskedForCountsAsATrip(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureThreshold: 1, MaxRecovery: time.Minute})
	m.end(m.must(t), breaker.Failure, 30*second)
	m.advance(30 * time.Second)
	require.Equal(t, 10*time.Second, m.trip(t))
}

func TestTheOpenTimeSaturates(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureThreshold: 1, RecoveryTimeout: 1, MaxRecovery: 1 << 61, ForgetAfter: 1 << 61})
	for i := range 61 {
		require.Equal(t, time.Duration(1)<<i, m.trip(t))
		m.now = m.OpenUntil()
	}
	for range 2 {
		require.Equal(t, time.Duration(1)<<61, m.trip(t))
		m.now = m.OpenUntil()
	}
	m.trip(t)
	require.EqualValues(t, int64(math.MaxInt64-1), m.OpenUntil(), "the last instant")
	require.EqualValues(t, int64(math.MaxInt64-1), m.CleanAt(m.rules))
	require.Equal(t, 61, m.Growth())
}

func TestRulesThatChange(t *testing.T) {
	rules := func(recovery, longest time.Duration) *breaker.Rules {
		return breaker.Policy{FailureThreshold: 1, RecoveryTimeout: recovery, MaxRecovery: longest}.Rules(counter())
	}
	was := rules(time.Second, 16*time.Second)
	for name, test := range map[string]struct {
		is     *breaker.Rules
		growth int
		next   time.Duration
	}{
		"growth is switched off":    {rules(time.Second, 0), 0, time.Second},
		"MaxRecovery becomes less":  {rules(time.Second, 3*time.Second), 2, 3 * time.Second},
		"MaxRecovery becomes more":  {rules(time.Second, time.Minute), 4, 16 * time.Second},
		"RecoveryTimeout is longer": {rules(10*time.Second, time.Minute), 3, time.Minute},
	} {
		for _, closed := range []bool{false, true} {
			m := newMachine(t, breaker.Policy{})
			m.rules = was
			for range 4 {
				m.trip(t)
				m.now = m.OpenUntil()
			}
			require.Equal(t, 16*time.Second, m.trip(t))
			until := m.OpenUntil()
			if closed {
				m.recovers(t)
			}
			m.Follow(was, test.is, m.now)
			m.rules = test.is
			if !closed {
				require.Equal(t, until, m.OpenUntil(), "%s: an open breaker stays open until the same instant", name)
				m.now = until
			}
			require.Equal(t, test.growth, m.Growth(), name)
			require.Equal(t, closed && test.growth == 0, m.Clean(), name)
			require.Equal(t, test.next, m.trip(t), name)
		}
	}
}

func TestADroppedCircuitKeepsItsGrowthAsFarAsTheRulesAllow(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureThreshold: 1, MaxRecovery: 20 * time.Second})
	for growth, want := range map[int]int{-1: 0, 0: 0, 1: 1, 2: 2, 3: 2, 300: 2} {
		var c breaker.Circuit
		c.Reopen(m.rules, 1, 10*second)
		require.Equal(t, 1, c.Growth(), "of the trip that is known")
		c.Grow(m.rules, growth)
		require.Equal(t, want, c.Growth())
		require.Equal(t, 10*second, c.OpenUntil())
	}
}

func TestAClosedCircuitCostsWhatItDid(t *testing.T) {
	require.EqualValues(t, 48, unsafe.Sizeof(breaker.Circuit{}))
	m := newMachine(t, breaker.Policy{FailureThreshold: 9, MaxRecovery: time.Minute, RecoveryJitter: 1})
	require.Zero(t, testing.AllocsPerRun(100, func() {
		m.report(m.Admit(m.rules, m.now), breaker.Failure)
		m.report(m.Admit(m.rules, m.now), breaker.Success)
	}))
	m.ends(t, 9, breaker.Failure)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		m.now = m.Ready(m.rules, m.now) + 1
		m.Passes(m.rules, m.now+1000)
	}), "nor does a look at an open one")
}
