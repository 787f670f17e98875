package rates_test

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/bench/peers/rates"
)

// document is docs/breaker-peers.md.
func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/breaker-peers.md")
	require.NoError(t, err)
	return string(text)
}

// shortest returns the table of the shortest traces, one for each rule, with the first peer that
// has the rule. The peer itself decides each trace.
func shortest(t *testing.T) string {
	t.Helper()
	rows := make([]string, len(rates.Names))
	for _, p := range rates.Peers() {
		has := rates.Rules(0)
		for _, rules := range p.Rules {
			has |= rules
		}
		for i, name := range rates.Names {
			rule := rates.Rule(1 << i)
			if rows[i] != "" || has&rates.Rules(rule) == 0 {
				continue
			}
			trace, found := rates.Shortest(p, rule)
			require.True(t, found, "%s: no trace for %v", p.Name, rule)
			ours, theirs := both(trace, p)
			reason, known := rates.Explain(trace, p.Rules[trace.Kind], theirs)
			require.True(t, known, "%s: %v", p.Name, rule)
			require.Equal(t, rates.Rules(rule), reason, p.Name)
			cells := append([]string{name}, trace.Cells(ours, theirs)...)
			cells[len(cells)-1] = p.Name + ": " + cells[len(cells)-1]
			rows[i] = "| " + strings.Join(cells, " | ") + " |\n"
		}
	}
	return "| reason | setting | calls | here | there |\n|---|---|---|---|---|\n" + strings.Join(rows, "")
}

// TestTheTracesOfTheDocsAreRuns: docs/breaker-peers.md shows the shortest trace of each reason, and
// says why ours decides so.
func TestTheTracesOfTheDocsAreRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text, table := document(t), shortest(t)
		t.Log("\n" + table)
		require.Contains(t, text, "<!-- traces: begin -->\n"+table+"<!-- traces: end -->\n")
		for _, name := range rates.Names {
			require.Contains(t, text, "\n**"+strings.ToUpper(name[:1])+name[1:]+"**")
		}
	})
}
