package breaker_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

// machine is a circuit with its rules and a clock that the test moves.
type machine struct {
	breaker.Circuit
	rules *breaker.Rules
	now   int64
}

func newMachine(t testing.TB, p breaker.Policy) *machine {
	t.Helper()
	require.NoError(t, p.Validate())
	m := &machine{rules: p.Rules(counter())}
	m.Renew(m.rules)
	return m
}

func (m *machine) advance(d time.Duration) { m.now += int64(d) }

// call is a call as the engine makes it; ok is false when the circuit is not ready.
func (m *machine) call() (p breaker.Permit, ok bool) {
	if m.Ready(m.rules, m.now) > m.now {
		return p, false
	}
	return m.Admit(m.rules, m.now), true
}

func (m *machine) report(p breaker.Permit, o breaker.Outcome) { m.Report(m.rules, m.now, p, o) }

// end is report, and with a failure the upstream may ask to be left alone for so long.
func (m *machine) end(p breaker.Permit, o breaker.Outcome, asked int64) {
	m.End(m.rules, m.now, p, breaker.Ending{Outcome: o, OpenFor: asked})
}

// slow is end of a call that was slow.
func (m *machine) slow(p breaker.Permit, o breaker.Outcome, asked int64) {
	m.End(m.rules, m.now, p, breaker.Ending{Outcome: o, OpenFor: asked, Slow: true})
}

// must is a call that has to pass.
func (m *machine) must(t testing.TB) breaker.Permit {
	t.Helper()
	p, ok := m.call()
	require.True(t, ok, "refused at %v", time.Duration(m.now))
	return p
}

// ends makes n calls, each with outcome o.
func (m *machine) ends(t testing.TB, n int, o breaker.Outcome) {
	t.Helper()
	for range n {
		m.report(m.must(t), o)
	}
}

func (m *machine) look() look {
	s, failures, openFor := m.Look(m.rules, m.now)
	return look{s, failures, time.Duration(openFor)}
}

// look is the answer of Circuit.Look.
type look struct {
	state    breaker.State
	failures int
	openFor  time.Duration
}

// randomPolicy has small numbers, so that random schedules come across every edge.
func randomPolicy(r *rand.Rand) breaker.Policy {
	p := breaker.Policy{
		FailureThreshold:  1 + r.IntN(3),
		RecoveryTimeout:   time.Duration(1 + r.IntN(10)),
		HalfOpenSuccesses: 1 + r.IntN(3),
		HalfOpenProbes:    1 + r.IntN(3),
		ProbeTimeout:      time.Duration(1 + r.IntN(10)),
		ForgetAfter:       time.Duration(1 + r.IntN(20)*(1+r.IntN(10))), // longer than eleven recoveries, or not
	}
	if r.IntN(2) == 0 {
		p.HalfOpenFailures = r.IntN(3)
	}
	if r.IntN(2) == 0 {
		p.MaxRecovery = p.RecoveryTimeout * time.Duration(1+r.IntN(20))
	}
	if r.IntN(3) == 0 {
		p.RecoveryJitter, p.Seed = []float64{1, r.Float64()}[r.IntN(2)], 1+r.Uint64N(9)
	}
	return p
}
