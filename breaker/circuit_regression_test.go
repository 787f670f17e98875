package breaker_test

import (
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
