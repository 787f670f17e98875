package breaker_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

func TestReadyAtExactlyTheInstantAndNot1nsBefore(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureThreshold: 1, RecoveryTimeout: 5 * time.Second, ProbeTimeout: 30 * time.Second})
	m.now = 7
	m.ends(t, 1, breaker.Failure)
	ready := m.Ready(m.rules, m.now)
	require.Equal(t, 5*second+7, ready)

	m.now = ready - 1
	_, ok := m.call()
	require.False(t, ok, "1 ns before Ready")
	require.Equal(t, look{breaker.Open, 0, 1}, m.look())
	m.now = ready
	m.must(t)

	ready = m.Ready(m.rules, m.now)
	require.Equal(t, 40*second+7, ready, "the probe's lease and the recovery after its failure")
	m.now = ready - 1
	_, ok = m.call()
	require.False(t, ok, "1 ns before Ready")
	m.now = ready
	m.must(t)
}

func TestLookShowsStateFailuresAndTheTimeUntilACallPasses(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureThreshold: 3, RecoveryTimeout: 5 * time.Second, ProbeTimeout: 30 * time.Second})
	require.Equal(t, look{breaker.Closed, 0, 0}, m.look())
	m.ends(t, 2, breaker.Failure)
	require.Equal(t, look{breaker.Closed, 2, 0}, m.look())
	require.True(t, m.Admits(), "failures are counted, and every call is let through")
	require.Zero(t, m.OpenUntil())
	m.ends(t, 1, breaker.Failure)
	require.False(t, m.Admits())
	require.Equal(t, m.now+5*second, m.OpenUntil())
	require.Equal(t, look{breaker.Open, 0, 5 * time.Second}, m.look())
	m.advance(2 * time.Second)
	require.Equal(t, look{breaker.Open, 0, 3 * time.Second}, m.look())
	m.advance(3 * time.Second)
	require.Equal(t, look{breaker.HalfOpen, 0, 0}, m.look(), "recovered, nobody has called yet")
	p := m.must(t)
	require.Equal(t, look{breaker.HalfOpen, 0, 35 * time.Second}, m.look(), "the only place is taken")
	m.advance(10 * time.Second)
	require.Equal(t, look{breaker.HalfOpen, 0, 25 * time.Second}, m.look())
	m.report(p, breaker.Ignore)
	require.Equal(t, look{breaker.HalfOpen, 0, 0}, m.look(), "the place is free again")
	m.ends(t, 1, breaker.Success)
	require.Equal(t, look{breaker.Closed, 0, 0}, m.look())
}

func TestLookingChangesNothing(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureThreshold: 1})
	m.ends(t, 1, breaker.Failure)
	before := m.Circuit
	m.advance(6 * time.Second)
	m.look()
	m.CleanAt(m.rules)
	m.LeaseEnds()
	require.Equal(t, before, m.Circuit, "half-open begins with the first probe, not with a look")
}

func TestTheZeroCircuitIsClosedCleanAndOfGeneration0(t *testing.T) {
	var c breaker.Circuit
	r := breaker.Policy{FailureThreshold: 1}.Rules(counter())
	require.True(t, c.Clean())
	require.Zero(t, c.Generation())
	require.Equal(t, int64(math.MinInt64), c.CleanAt(r))
	require.Equal(t, int64(math.MaxInt64), c.LeaseEnds())
	p := c.Admit(r, 3)
	require.Equal(t, breaker.Permit{}, p)
	c.Report(r, 3, p, breaker.Failure)
	require.Equal(t, 3+5*second, c.Ready(r, 3))
	require.EqualValues(t, 1, c.Generation())
}

func TestASecondReportOfAProbeCountsForNothing(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureThreshold: 1, HalfOpenSuccesses: 3, HalfOpenProbes: 2})
	m.ends(t, 1, breaker.Failure)
	m.advance(5 * time.Second)
	first := m.must(t)
	m.advance(time.Second)
	m.must(t)
	m.report(first, breaker.Success)
	before := m.Circuit
	for _, o := range []breaker.Outcome{breaker.Success, breaker.Failure, breaker.Ignore} {
		m.report(first, o)
		require.Equal(t, before, m.Circuit, "%v, once more", o)
	}
	require.Equal(t, 36*second, m.LeaseEnds(), "the other probe is still out")
}

func TestCopiesOfACircuitShareNothingThatChanges(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureThreshold: 1, HalfOpenProbes: 8, HalfOpenSuccesses: 9})
	m.ends(t, 1, breaker.Failure)
	m.advance(5 * time.Second)
	var permits []breaker.Permit
	for range 3 {
		permits = append(permits, m.must(t))
		m.advance(time.Second)
	}
	one, other := *m, *m
	one.must(t) // at 8 s
	other.advance(time.Second)
	other.must(t)
	for _, p := range permits {
		one.report(p, breaker.Success)
		other.report(p, breaker.Success)
	}
	require.Equal(t, 38*second, one.LeaseEnds())
	require.Equal(t, 39*second, other.LeaseEnds())

	snapshot := m.Circuit
	m.report(permits[0], breaker.Success)
	require.Equal(t, 36*second, m.LeaseEnds())
	require.Equal(t, 35*second, snapshot.LeaseEnds())
}

func TestEveryMethodWithAnInstantAdvancesItself(t *testing.T) {
	for name, visit := range map[string]func(*machine){
		"Advance": func(m *machine) { m.Advance(m.rules, m.now) },
		"Ready":   func(m *machine) { m.Ready(m.rules, m.now) },
		"Admit":   func(m *machine) { m.Admit(m.rules, m.now) },
		"Report":  func(m *machine) { m.report(breaker.Permit{}, breaker.Ignore) },
		"Look":    func(m *machine) { m.look() },
	} {
		m := newMachine(t, breaker.Policy{FailureThreshold: 1, ForgetAfter: time.Minute})
		m.ends(t, 1, breaker.Failure)
		m.now = m.CleanAt(m.rules)
		visit(m)
		require.True(t, m.Clean(), name)
	}
}

func TestWhenACircuitIsForgotten(t *testing.T) {
	policy := breaker.Policy{FailureThreshold: 3, RecoveryTimeout: 5 * time.Second, HalfOpenSuccesses: 2, ProbeTimeout: 30 * time.Second}
	for _, test := range []struct {
		name        string
		dirty       func(*testing.T, *machine)
		short, long int64 // when it is clean with a ForgetAfter of 20 s, and of 2 min
		until       look  // 1 ns before
	}{
		{"failures of a closed circuit", func(t *testing.T, m *machine) {
			m.ends(t, 1, breaker.Failure)
			m.advance(4 * time.Second)
			m.ends(t, 1, breaker.Failure) // counts from the last
		}, 24 * second, 124 * second, look{breaker.Closed, 2, 0}},
		{"a recovery that nobody tried", func(t *testing.T, m *machine) {
			m.ends(t, 3, breaker.Failure)
		}, 55 * second, 120 * second, look{breaker.HalfOpen, 0, 0}},
		{"half-open, its only probe ignored", func(t *testing.T, m *machine) {
			m.ends(t, 3, breaker.Failure)
			m.advance(6 * time.Second)
			m.ends(t, 1, breaker.Ignore)
		}, 55 * second, 120 * second, look{breaker.HalfOpen, 0, 0}},
		{"half-open, one of two successes", func(t *testing.T, m *machine) {
			m.ends(t, 3, breaker.Failure)
			m.advance(6 * time.Second)
			m.ends(t, 1, breaker.Success)
		}, 61 * second, 126 * second, look{breaker.HalfOpen, 0, 0}},
		{"a probe that never came back, and the recovery after it", func(t *testing.T, m *machine) {
			m.ends(t, 3, breaker.Failure)
			m.advance(5 * time.Second)
			m.must(t)
			m.now = m.LeaseEnds()
			m.Advance(m.rules, m.now)
		}, 90 * second, 155 * second, look{breaker.HalfOpen, 0, 0}},
	} {
		for forget, clean := range map[time.Duration]int64{20 * time.Second: test.short, 2 * time.Minute: test.long} {
			t.Run(fmt.Sprint(test.name, ", ", forget), func(t *testing.T) {
				policy.ForgetAfter = forget
				m := newMachine(t, policy)
				test.dirty(t, m)
				require.False(t, m.Clean())
				require.Equal(t, clean, m.CleanAt(m.rules))
				m.now = clean - 1
				require.Equal(t, test.until, m.look())
				m.Advance(m.rules, m.now)
				require.False(t, m.Clean())
				m.now = clean
				m.Advance(m.rules, m.now)
				require.True(t, m.Clean())
				require.Equal(t, look{breaker.Closed, 0, 0}, m.look())
				m.ends(t, 2, breaker.Failure)
				require.Equal(t, look{breaker.Closed, 2, 0}, m.look(), "as good as new: two more do not open it")
			})
		}
	}
}

func TestNothingIsForgottenWhileAProbeIsOut(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureThreshold: 1, RecoveryTimeout: 5 * time.Second, ForgetAfter: 6 * time.Second, ProbeTimeout: time.Hour})
	m.ends(t, 1, breaker.Failure)
	m.advance(5 * time.Second)
	p := m.must(t)
	m.advance(30 * time.Minute)
	require.Equal(t, int64(math.MaxInt64), m.CleanAt(m.rules))
	require.Equal(t, breaker.HalfOpen, m.look().state)
	m.report(p, breaker.Failure)
	require.Equal(t, look{breaker.Open, 0, 5 * time.Second}, m.look(), "its failure counts")
}

func TestGenerationsAreSharedByNoTwoCircuitsNorPeriods(t *testing.T) {
	r := breaker.Policy{FailureThreshold: 1}.Rules(counter())
	circuits := make([]breaker.Circuit, 10)
	seen := map[uint64]bool{}
	see := func(c *breaker.Circuit) {
		require.False(t, seen[c.Generation()], "generation %d came twice", c.Generation())
		seen[c.Generation()] = true
	}
	now := int64(0)
	for i := range circuits {
		circuits[i].Renew(r)
		see(&circuits[i])
	}
	for range 3 {
		for i := range circuits {
			c := &circuits[i]
			c.Report(r, now, c.Admit(r, now), breaker.Failure)
			see(c) // open
		}
		now += 5 * second
		for i := range circuits {
			c := &circuits[i]
			p := c.Admit(r, now)
			see(c) // half-open
			require.Equal(t, c.Generation(), p.Generation)
			c.Report(r, now, p, breaker.Success)
			see(c) // closed
		}
	}
	require.Len(t, seen, 10+3*3*10)
}

func TestAResumedCircuitIsCleanAndInItsOldPeriod(t *testing.T) {
	rules := (breaker.Policy{FailureThreshold: 2}).Rules(func() uint64 { return 99 })
	var c breaker.Circuit
	c.Resume(7)
	require.True(t, c.Clean())
	require.EqualValues(t, 7, c.Generation())
	for range 2 {
		c.Report(rules, 1, breaker.Permit{Generation: 7}, breaker.Failure)
	}
	require.EqualValues(t, 99, c.Generation())
	require.False(t, c.Admits())
}

func TestAPermitIsLeasedFromTheAdmissionOfAProbeUntilItsReportOrItsEnd(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureThreshold: 1, HalfOpenSuccesses: 3, HalfOpenProbes: 3})
	leased := func(p breaker.Permit) bool { return m.Leased(m.rules, m.now, p) }
	require.False(t, leased(m.must(t)), "a call that is no probe has no lease")
	m.ends(t, 1, breaker.Failure)
	m.advance(5 * time.Second)
	first := m.must(t)
	m.advance(time.Second)
	second := m.must(t)
	require.True(t, leased(first))
	require.True(t, leased(second))
	require.False(t, leased(breaker.Permit{Generation: first.Generation, Lease: first.Lease + 1}))
	require.False(t, leased(breaker.Permit{Generation: first.Generation + 1, Lease: first.Lease}))
	m.report(first, breaker.Ignore)
	require.False(t, leased(first))
	m.advance(30*time.Second - 1)
	require.True(t, leased(second))
	m.advance(1)
	require.False(t, leased(second), "its lease has ended, although nobody has looked")
	require.Equal(t, breaker.Open, m.look().state)
}
