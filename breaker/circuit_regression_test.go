package breaker_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

// An open circuit let no call through, so that nothing can be reported to its generation: a success must not close it.
func TestAReportToAnOpenGenerationCountsForNothing(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Hour})
	m.ends(t, 1, breaker.Failure)
	for _, o := range []breaker.Outcome{breaker.Success, breaker.Failure, breaker.Ignore} {
		m.advance(time.Minute)
		m.Report(m.rules, m.now, breaker.Permit{Generation: m.Generation()}, o)
	}
	require.Equal(t, look{breaker.Open, 0, 57 * time.Minute}, m.look())
}

// TestNoMoreProbesGoOutThanAreStillNeeded: with two successes of three in, one more probe decides. Two more would be let through for
// nothing, and one of them could open a circuit that the first has closed.
func TestNoMoreProbesGoOutThanAreStillNeeded(t *testing.T) {
	for successes := 1; successes <= 4; successes++ {
		for probes := 1; probes <= 4; probes++ {
			t.Run(fmt.Sprintf("%d successes, %d probes", successes, probes), func(t *testing.T) {
				m := halfOpen(t, breaker.Policy{HalfOpenSuccesses: successes, HalfOpenProbes: probes})
				for counted := range successes {
					var out []breaker.Permit
					for p, ok := m.call(); ok; p, ok = m.call() {
						out = append(out, p)
					}
					require.Len(t, out, min(probes, successes-counted))
					require.Equal(t, 35*time.Second, m.look().openFor, "the others wait for the end of the lease and the recovery after it")
					for _, p := range out[1:] {
						m.report(p, breaker.Ignore)
					}
					m.report(out[0], breaker.Success)
				}
				require.True(t, m.Clean())
			})
		}
	}
}

// TestAnOpenCircuitIsHalfOpenForTenRecoveriesAtLeast, however short ForgetAfter is: a circuit that closes without a probe lets everybody
// at what has not recovered.
func TestAnOpenCircuitIsHalfOpenForTenRecoveriesAtLeast(t *testing.T) {
	for _, forget := range []time.Duration{1, time.Second, 10 * time.Second, 30 * time.Second, 5 * time.Minute} {
		m := halfOpen(t, breaker.Policy{RecoveryTimeout: 30 * time.Second, ForgetAfter: forget})
		require.Equal(t, look{breaker.HalfOpen, 0, 0}, m.look(), "ForgetAfter %v", forget)
		m.advance(5*time.Minute - 1)
		require.Equal(t, look{breaker.HalfOpen, 0, 0}, m.look(), "ForgetAfter %v", forget)
		m.must(t)
		_, ok := m.call()
		require.False(t, ok, "a probe")
	}
}

// TestForgetAfterForgetsWhatAClosedCircuitCounted, and is not stretched by a long recovery.
func TestForgetAfterForgetsWhatAClosedCircuitCounted(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureThreshold: 2, RecoveryTimeout: time.Hour, ForgetAfter: time.Second})
	for range 100 {
		m.ends(t, 1, breaker.Failure)
		require.Equal(t, look{breaker.Closed, 1, 0}, m.look())
		m.advance(time.Second)
	}
	require.Equal(t, look{breaker.Closed, 0, 0}, m.look())
}

// TestSumsOfInstantsDoNotOverflow: at the latest instants, with the longest durations, nothing that is to come has been.
func TestSumsOfInstantsDoNotOverflow(t *testing.T) {
	const longest = time.Duration(1 << 61)
	for _, p := range []breaker.Policy{
		{RecoveryTimeout: longest, ProbeTimeout: longest, ForgetAfter: longest},
		{RecoveryTimeout: longest, ProbeTimeout: longest, ForgetAfter: 1},
		{RecoveryTimeout: 1, ProbeTimeout: longest, ForgetAfter: longest},
		{RecoveryTimeout: math.MaxInt64 / 11, ProbeTimeout: 1},
		{RecoveryTimeout: math.MaxInt64/11 + 1, ProbeTimeout: 1},
		{},
	} {
		for _, now := range []int64{0, 1 << 61, 1 << 62, math.MaxInt64 - int64(10*time.Second), math.MaxInt64 - 2} {
			p.FailureThreshold, p.HalfOpenSuccesses, p.HalfOpenProbes = 2, 2, 2
			m := newMachine(t, p)
			m.now = now
			m.ends(t, 1, breaker.Failure)
			require.Greater(t, m.CleanAt(m.rules), now, "%+v at %d", p, now)
			require.Equal(t, look{breaker.Closed, 1, 0}, m.look(), "%+v at %d", p, now)
			m.ends(t, 1, breaker.Failure)
			require.Greater(t, m.OpenUntil(), now, "%+v at %d", p, now)
			require.Equal(t, breaker.Open, m.look().state, "%+v at %d", p, now)
			m.now = m.OpenUntil()
			if m.CleanAt(m.rules) <= m.now {
				require.GreaterOrEqual(t, m.now, int64(math.MaxInt64-1), "%+v at %d: the last of all instants", p, now)
				continue
			}
			require.Equal(t, look{breaker.HalfOpen, 0, 0}, m.look(), "%+v at %d", p, now)
			m.must(t)
			m.must(t)
			require.Greater(t, m.LeaseEnds(), m.now, "%+v at %d", p, now)
			require.Less(t, m.LeaseEnds(), int64(math.MaxInt64), "%+v at %d: that would be no probe", p, now)
			require.GreaterOrEqual(t, m.Ready(m.rules, m.now), m.LeaseEnds(), "%+v at %d", p, now)
		}
	}
}

// TestACircuitWithEnoughSuccessesByOtherRules closes with the next success, and lets one probe through for that at a time.
// Such a circuit let no call through, and its Ready panicked.
func TestACircuitWithEnoughSuccessesByOtherRules(t *testing.T) {
	for enough := 1; enough <= 2; enough++ {
		m := halfOpen(t, breaker.Policy{HalfOpenSuccesses: 3, HalfOpenProbes: 2})
		m.ends(t, 2, breaker.Success)
		m.rules = breaker.Policy{HalfOpenSuccesses: enough, HalfOpenProbes: 2}.Rules(counter())
		require.Equal(t, look{breaker.HalfOpen, 0, 0}, m.look())
		require.Equal(t, m.now, m.Passes(m.rules, m.now))
		p := m.must(t)
		require.Equal(t, 35*time.Second, m.look().openFor, "one probe is out")
		require.Greater(t, m.Passes(m.rules, m.now), m.now)
		m.report(p, breaker.Success)
		require.True(t, m.Clean())
	}
}

// TestAnOpenCircuitIsReopenedAsItWasByOtherRules: its instant came out of the recovery time of the rules of now.
func TestAnOpenCircuitIsReopenedAsItWasByOtherRules(t *testing.T) {
	for _, recovery := range []time.Duration{time.Second, time.Hour} {
		m := newMachine(t, breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Minute})
		m.ends(t, 1, breaker.Failure)
		m.rules = breaker.Policy{FailureThreshold: 1, RecoveryTimeout: recovery}.Rules(counter())
		require.Equal(t, m.now+int64(time.Minute), m.ProbeAt())
		m.Reopen(m.rules, 1, m.ProbeAt())
		require.Equal(t, look{breaker.Open, 0, time.Minute}, m.look())
	}
}

// TestALeaseThatIsShorterThanEarlierOnesEndsInTime: by rules with another ProbeTimeout the last lease may be the first to end. Such a
// lease lasted until the longer one ended.
func TestALeaseThatIsShorterThanEarlierOnesEndsInTime(t *testing.T) {
	policy := breaker.Policy{HalfOpenSuccesses: 3, HalfOpenProbes: 3, HalfOpenFailures: 1, ProbeTimeout: time.Hour}
	m := halfOpen(t, policy)
	first := m.must(t)
	was := m.rules
	policy.ProbeTimeout = time.Second
	m.rules = policy.Rules(counter())
	m.Follow(was, m.rules, m.now)
	second := m.must(t)
	require.Equal(t, second.Lease, m.LeaseEnds())
	m.advance(time.Second)
	require.False(t, m.Leased(m.rules, m.now, second))
	require.True(t, m.Leased(m.rules, m.now, first))
	require.Equal(t, first.Lease, m.LeaseEnds())
	m.must(t)
	m.advance(time.Second)
	require.Equal(t, look{breaker.Open, 0, 5 * time.Second}, m.look())
}
