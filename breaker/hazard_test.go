package breaker_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

// The tests of this file are named for the hazards that other breakers fell into.

// halfOpen is a machine at the end of its first recovery.
func halfOpen(t *testing.T, p breaker.Policy) *machine {
	t.Helper()
	p.FailureThreshold = 1
	m := newMachine(t, p)
	m.ends(t, 1, breaker.Failure)
	m.now = m.Ready(m.rules, m.now)
	return m
}

func TestB1AProbeThatNeverReturnsCannotHoldItHalfOpen(t *testing.T) {
	for probes := 1; probes <= 3; probes++ {
		m := halfOpen(t, breaker.Policy{HalfOpenProbes: probes, HalfOpenSuccesses: 5})
		for round := range 1000 { // nobody ever reports anything
			start := m.now
			for range probes {
				m.must(t)
			}
			_, ok := m.call()
			require.False(t, ok)
			m.advance(30*time.Second - 1)
			require.Equal(t, breaker.HalfOpen, m.look().state)
			m.advance(1)
			require.Equal(t, look{breaker.Open, 0, 5 * time.Second}, m.look(), "round %d: a lease that ends is a failure", round)
			m.advance(5 * time.Second)
			require.Equal(t, 35*second, m.now-start)
		}
	}
}

func TestB1AYearLaterItHasLongRecovered(t *testing.T) {
	m := halfOpen(t, breaker.Policy{})
	p := m.must(t)
	m.advance(365 * 24 * time.Hour)
	generation := m.Generation()
	require.Equal(t, look{breaker.Closed, 0, 0}, m.look(), "the failure is forgotten too")
	require.NotEqual(t, generation, m.Generation())
	m.report(p, breaker.Failure)
	require.Equal(t, look{breaker.Closed, 0, 0}, m.look(), "what comes back after its lease counts for nothing")
}

// A probe that panics or exits its goroutine may report nothing; the engine reports it as a failure, and if that were
// lost the lease would do it.
func TestB2AProbeThatIsLostIsTheSameAsOneThatFailsWhenItsLeaseEnds(t *testing.T) {
	lost, failed := halfOpen(t, breaker.Policy{}), halfOpen(t, breaker.Policy{})
	lost.must(t)
	p := failed.must(t)
	failed.now = p.Lease - 1
	failed.report(p, breaker.Failure)
	lost.now, failed.now = p.Lease+second, p.Lease-1+second
	require.Equal(t, failed.look(), lost.look())
	require.Equal(t, failed.Generation(), func() uint64 { lost.Advance(lost.rules, lost.now); return lost.Generation() }())
}

func TestB4AnIgnoredProbeGivesItsPlaceBack(t *testing.T) {
	m := halfOpen(t, breaker.Policy{HalfOpenSuccesses: 2})
	m.ends(t, 1, breaker.Success)
	for range 1000 {
		m.ends(t, 1, breaker.Ignore) // each must be let through
		require.Equal(t, look{breaker.HalfOpen, 0, 0}, m.look())
		require.Equal(t, int64(math.MaxInt64), m.LeaseEnds())
	}
	m.ends(t, 1, breaker.Success)
	require.True(t, m.Clean(), "the success before them still counted")
}

func TestB5AnOutcomeOfAnEarlierPeriodIsNotCounted(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureThreshold: 2, HalfOpenSuccesses: 4, HalfOpenProbes: 4})
	var early []breaker.Permit
	for range 12 {
		early = append(early, m.must(t))
	}
	m.ends(t, 2, breaker.Failure)
	stale := func(o breaker.Outcome) {
		m.Advance(m.rules, m.now)
		before := m.Circuit
		for _, p := range early {
			m.report(p, o)
		}
		require.Equal(t, before, m.Circuit, "%v from an earlier period", o)
	}
	for _, o := range []breaker.Outcome{breaker.Success, breaker.Failure, breaker.Ignore} {
		stale(o) // while open
	}
	m.advance(5 * time.Second)
	for range 4 {
		early = append(early, m.must(t))
	}
	_, ok := m.call()
	require.False(t, ok)
	early, late := early[:12], early[12:]
	for _, o := range []breaker.Outcome{breaker.Success, breaker.Failure, breaker.Ignore} {
		stale(o) // while half-open: neither places nor successes change
	}
	for _, p := range late {
		m.report(p, breaker.Success)
	}
	require.True(t, m.Clean())
	early = append(early, late...)
	for _, o := range []breaker.Outcome{breaker.Success, breaker.Failure, breaker.Ignore} {
		stale(o) // while closed again
	}
}

func TestB6NoHerdOfProbes(t *testing.T) {
	for probes := 1; probes <= 5; probes++ {
		m := halfOpen(t, breaker.Policy{HalfOpenProbes: probes, HalfOpenSuccesses: math.MaxInt})
		r := rand.New(rand.NewPCG(uint64(probes), 0))
		var out []breaker.Permit
		for range 2000 {
			for range 10 { // the herd
				if p, ok := m.call(); ok {
					out = append(out, p)
				}
			}
			require.Len(t, out, probes)
			i := r.IntN(probes)
			m.report(out[i], []breaker.Outcome{breaker.Success, breaker.Ignore}[r.IntN(2)])
			out = append(out[:i], out[i+1:]...)
			m.advance(time.Duration(r.IntN(1000)))
		}
	}
}

func TestB10LittleTrafficNeitherTripsLateNorAtAll(t *testing.T) {
	policy := breaker.Policy{FailureThreshold: 3, ForgetAfter: time.Minute}
	m := newMachine(t, policy)
	for range 1000 { // one failure in a while is no outage
		m.ends(t, 1, breaker.Failure)
		require.Equal(t, look{breaker.Closed, 1, 0}, m.look())
		m.advance(time.Minute)
	}
	for range 2 {
		m.ends(t, 1, breaker.Failure)
		m.advance(time.Minute - 1)
	}
	m.ends(t, 1, breaker.Failure)
	require.Equal(t, look{breaker.Open, 0, 5 * time.Second}, m.look(), "three in a row, each less than a minute after the last")
}

func TestB10NoCountWrapsRound(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureThreshold: math.MaxInt})
	for range 70_000 {
		m.report(m.Admit(m.rules, m.now), breaker.Failure)
	}
	require.Equal(t, look{breaker.Closed, 70_000, 0}, m.look())
}
