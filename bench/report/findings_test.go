package report_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/bench/record"
	"github.com/limitpal/limitpal-go/bench/report"
)

func TestLossesAndWins(t *testing.T) {
	r := planted(map[string]float64{
		"engine-published": 100,
		"per-key-mutex":    50,   // a loss by 2
		"cas-gcra":         25,   // a loss by 4
		"global-mutex":     96,   // within the noise
		"tower":            1000, // a win by 10
		"textbook-actor":   400,  // a win by 4
		"floor":            10,   // no rival
		"engine-handle":    20,   // no rival
	})
	losses := report.Losses(r)
	require.Len(t, losses, 2)
	require.Equal(t, "cas-gcra", losses[0].Rival)
	require.InDelta(t, 4, losses[0].Factor, 1e-9)
	require.Equal(t, "per-key-mutex", losses[1].Rival)
	require.InDelta(t, 2, losses[1].Factor, 1e-9)
	require.Equal(t, record.Row{Study: "Calls", Workload: "pipeline", Keys: "1k", PerCore: 32, Contender: "engine-published", Cores: 2}, losses[0].Row)

	wins := report.Wins(r)
	require.Len(t, wins, 2)
	require.Equal(t, "tower", wins[0].Rival)
	require.InDelta(t, 10, wins[0].Factor, 1e-9)
	require.Equal(t, "textbook-actor", wins[1].Rival)
}

func TestMoreGoodputIsBetter(t *testing.T) {
	r := &record.Results{}
	for name, part := range map[string]float64{"engine-published": 0.6, "x-time-rate": 0.9, "failsafe-go": 0.3} {
		row := record.Row{Study: "Overload", Workload: "twice-the-rate", Keys: "1", Contender: name, Cores: 2}
		r.Add(record.Sample{Row: row, N: 1, Values: []record.Value{{Amount: part, Unit: record.Goodput}}})
	}
	losses, wins := report.Losses(r), report.Wins(r)
	require.Len(t, losses, 1)
	require.Equal(t, "x-time-rate", losses[0].Rival)
	require.InDelta(t, 1.5, losses[0].Factor, 1e-9)
	require.Len(t, wins, 1)
	require.Equal(t, "failsafe-go", wins[0].Rival)
	require.InDelta(t, 2, wins[0].Factor, 1e-9)
}

func TestMemoryIsComparedWithCompleteDesigns(t *testing.T) {
	r := &record.Results{}
	for name, size := range map[string]float64{"engine-published": 100, "x-time-rate": 50, "per-key-mutex": 80} {
		row := record.Row{Study: "Memory", Keys: "10k", Contender: name, Cores: 2}
		r.Add(record.Sample{Row: row, N: 1, Values: []record.Value{{Amount: size, Unit: record.BytesPerKey}}})
	}
	losses := report.Losses(r)
	require.Len(t, losses, 1)
	require.Equal(t, "per-key-mutex", losses[0].Rival)
}

func TestNothingToCompare(t *testing.T) {
	require.Empty(t, report.Losses(minimal()))
	require.Empty(t, report.Wins(minimal()))
}
