package breaker_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

// TestTheTableOfTheDocsIsARun: docs/breakers.md has the open times of an outage. Every probe fails at once until the
// upstream is well; then a call a second succeeds for 12 s, and the upstream fails again.
func TestTheTableOfTheDocsIsARun(t *testing.T) {
	policy := breaker.Policy{FailureThreshold: 1, RecoveryTimeout: 5 * time.Second, MaxRecovery: time.Minute}
	plain := newMachine(t, policy)
	policy.RecoveryJitter, policy.Seed = 0.2, 1
	jittered := newMachine(t, policy)
	var rows []string
	row := func(event string) {
		at, a, b := time.Duration(jittered.now).Round(10*time.Millisecond), plain.trip(t), jittered.trip(t).Round(10*time.Millisecond)
		rows = append(rows, fmt.Sprintf("| %s | %v | %v | %v |", event, at, a, b))
		plain.now, jittered.now = plain.OpenUntil(), jittered.OpenUntil()
	}
	row("the upstream fails")
	for i := range 5 {
		row(fmt.Sprintf("probe %d fails", i+1))
	}
	plain.recovers(t)
	jittered.recovers(t)
	plain.advance(12 * time.Second) // two steps back
	jittered.advance(12 * time.Second)
	row("probe 6 succeeds, and 12 s later the upstream fails")
	text, err := os.ReadFile("../docs/breakers.md")
	require.NoError(t, err)
	for _, r := range rows {
		require.Contains(t, string(text), r)
	}
}
