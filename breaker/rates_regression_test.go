package breaker_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

// TestALongerWindowRevivesNoCall: successes that had left the window were in the window again after a change to a longer one, because
// the window before counted as of its newest slice and not as of the change.
func TestALongerWindowRevivesNoCall(t *testing.T) {
	m := newMachine(t, breaker.Policy{FailureRate: 0.5, Window: 10 * time.Second})
	m.ends(t, 3, breaker.Success)
	m.advance(5 * time.Second)
	m.ends(t, 2, breaker.Success)
	for range 2 {
		m.advance(5 * time.Second)
		want := m.Window(m.rules, m.now)
		is := *m
		is.rules = breaker.Policy{FailureRate: 0.5, Window: time.Minute}.Rules(counter())
		is.Follow(m.rules, is.rules, m.now)
		require.Equal(t, want, is.Window(is.rules, is.now), "at %v", time.Duration(m.now))
	}
}
