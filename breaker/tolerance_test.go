package breaker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

// TestHalfOpenToleratesFailures makes one probe after the other, with the outcomes of a word: f fails, s
// succeeds, i is ignored, and t does not end within ProbeTimeout.
func TestHalfOpenToleratesFailures(t *testing.T) {
	for _, test := range []struct {
		tolerated int
		outcomes  string
		want      breaker.State
	}{
		{0, "f", breaker.Open},
		{0, "t", breaker.Open},
		{1, "f", breaker.HalfOpen},
		{1, "ff", breaker.Open},
		{1, "t", breaker.HalfOpen},
		{1, "tf", breaker.Open},
		{1, "ft", breaker.Open},
		{1, "fss", breaker.HalfOpen},
		{1, "fsss", breaker.Closed},
		{1, "sfss", breaker.Closed},
		{1, "fsf", breaker.Open},    // they need not be in a row
		{1, "fsfsss", breaker.Open}, // the first of the next half-open period
		{2, "fisfis", breaker.HalfOpen},
		{2, "fisfiss", breaker.Closed},
		{2, "fisfisf", breaker.Open},
	} {
		t.Run(fmt.Sprint(test.tolerated, " tolerated, ", test.outcomes), func(t *testing.T) {
			m := halfOpen(t, breaker.Policy{HalfOpenFailures: test.tolerated, HalfOpenSuccesses: 3})
			for _, o := range test.outcomes {
				if m.look().state == breaker.Open {
					m.now = m.OpenUntil()
					if o == 's' { // enough: it is half-open again
						m.must(t)
						require.Equal(t, breaker.HalfOpen, m.look().state)
						return
					}
				}
				p := m.must(t)
				if o == 't' {
					m.now = p.Lease
					m.Advance(m.rules, m.now)
					m.report(p, breaker.Success) // too late
					continue
				}
				m.report(p, map[rune]breaker.Outcome{'f': breaker.Failure, 's': breaker.Success, 'i': breaker.Ignore}[o])
			}
			require.Equal(t, test.want, m.look().state)
		})
	}
}

func TestToleranceBeginsAnewWithEachRecovery(t *testing.T) {
	m := halfOpen(t, breaker.Policy{HalfOpenFailures: 2})
	for range 3 {
		for range 2 {
			m.ends(t, 1, breaker.Failure)
			require.Equal(t, look{breaker.HalfOpen, 0, 0}, m.look())
		}
		require.Equal(t, 5*time.Second, m.trip(t))
		m.advance(5 * time.Second)
	}
}

// Three probes end their leases at one instant. If two failures are tolerated, the third opens the breaker; else
// their places are free again.
func TestLeasesThatEndTogether(t *testing.T) {
	for tolerated, want := range map[int]time.Duration{0: 35 * time.Second, 1: 35 * time.Second, 2: 35 * time.Second, 3: 30 * time.Second} {
		m := halfOpen(t, breaker.Policy{HalfOpenFailures: tolerated, HalfOpenSuccesses: 3, HalfOpenProbes: 3})
		begin := m.now
		for range 3 {
			m.must(t)
		}
		require.Equal(t, look{breaker.HalfOpen, 0, want}, m.look(), "%d tolerated", tolerated)
		require.Equal(t, begin+int64(want), m.Passes(m.rules, m.now))
		m.now = begin + int64(want) - 1
		_, ok := m.call()
		require.False(t, ok)
		m.now++
		m.must(t)
	}
}

// A half-open breaker that has tolerated a failure is forgotten as if that failure had opened it.
func TestATolerantBreakerIsForgotten(t *testing.T) {
	m := halfOpen(t, breaker.Policy{HalfOpenFailures: 1})
	m.advance(time.Second)
	p := m.must(t)
	m.report(p, breaker.Failure)
	require.Equal(t, m.now+60*second, m.CleanAt(m.rules))
	require.Equal(t, m.now+5*second, m.ProbeAt())
	m.now = m.CleanAt(m.rules)
	m.Advance(m.rules, m.now)
	require.True(t, m.Clean())
}

func TestAProbeThatIsLateDoesNotCountAfterItsBreakerIsForgotten(t *testing.T) {
	m := halfOpen(t, breaker.Policy{HalfOpenFailures: 1})
	p := m.must(t)
	m.now = p.Lease
	m.now = m.now + 60*second
	m.Advance(m.rules, m.now)
	require.True(t, m.Clean())
	p.Generation = m.Generation() // as the engine does if the key has gone and come back
	m.report(p, breaker.Failure)
	require.True(t, m.Clean())
}
