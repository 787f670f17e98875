package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/bench/record"
)

func TestMain(m *testing.M) {
	// As a child of a test of its own, this binary is the command: see elsewhere.
	if len(os.Args) > 1 && os.Args[1] == "-rounds" {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	var out, status bytes.Buffer
	err := run(t.Context(), []string{
		"-rounds", "2", "-workload", "limiter,memory,latency", "-contender", "engine-published,x-time-rate", "-baseline", "floor", "-out", dir,
	}, &out, &status)
	require.NoError(t, err, status.String())
	require.Contains(t, status.String(), "3 contenders admit what they must")
	require.Contains(t, out.String(), filepath.Join(dir, "index.html"))

	raw, err := os.ReadFile(filepath.Join(dir, "raw.txt"))
	require.NoError(t, err)
	r, err := record.Read(bytes.NewReader(raw), "raw.txt")
	require.NoError(t, err)
	require.Equal(t, "2", r.Setting("rounds"))
	for _, row := range []record.Row{
		{Study: "Calls", Workload: "limiter", Keys: "1", PerCore: 32, Contender: "engine-published"},
		{Study: "Calls", Workload: "limiter", Keys: "1k", PerCore: 32, Contender: "x-time-rate"},
		{Study: "Calls", Workload: "limiter", Keys: "1k", PerCore: 32, Contender: "floor"},
		{Study: "Latency", Workload: "steady", Contender: "engine-published"},
		{Study: "Memory", Keys: "10k", Contender: "x-time-rate"}, // by a process of its own
	} {
		rows := r.Rows(row)
		require.Len(t, rows, 1, "%v", row)
		samples := 2
		if row.Study == "Memory" {
			samples = 2 * 5 // collections
		}
		for _, u := range r.Units(rows[0]) {
			require.Len(t, r.Amounts(rows[0], u), samples, "%v %v", row, u)
		}
	}
	require.FileExists(t, filepath.Join(dir, "latency.hlog"))
	require.FileExists(t, filepath.Join(dir, "results.json"))

	t.Run("again from the raw file", func(t *testing.T) {
		var text bytes.Buffer
		require.NoError(t, run(t.Context(), []string{"-from", filepath.Join(dir, "raw.txt"), "-baseline", "floor", "-out", t.TempDir()}, &text, &status))
		require.True(t, strings.HasPrefix(out.String(), text.String()), "the same samples give the same tables")
	})
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, status bytes.Buffer
	err := run(ctx, []string{"-rounds", "1", "-workload", "churn", "-contender", "floor", "-baseline", "floor", "-out", t.TempDir()}, &out, &status)
	require.ErrorContains(t, err, "interrupted; what was measured is in")
}

func TestBadArguments(t *testing.T) {
	for want, args := range map[string][]string{
		`-workload pipelin: there is no "pipelin"`: {"-workload", "pipelin"},
		`-contender mutex: there is no "mutex"`:    {"-contender", "mutex"},
		`-baseline mutex: there is no "mutex"`:     {"-baseline", "mutex"},
		"-rounds 0: must be at least 1":            {"-rounds", "0"},
		`-cores 0: "0" is not a number from 1`:     {"-cores", "0"},
		`"full" is no flag`:                        {"full"},
		"-docs needs -from":                        {"-docs", "."},
		"no such file":                             {"-from", "nowhere.txt"},
		"flag provided but not defined":            {"-quick"},
		"no contender that was chosen":             {"-workload", "overload", "-contender", "floor", "-baseline", "floor"},
	} {
		var out, status bytes.Buffer
		require.ErrorContains(t, run(t.Context(), args, &out, &status), want, "%v", args)
	}
}

// TestPlan checks that the two plans have what the study promises: every contender, and every workload for whoever can do it.
func TestPlan(t *testing.T) {
	for _, args := range [][]string{nil, {"-full"}} {
		o, err := parse(args, &bytes.Buffer{})
		require.NoError(t, err)
		trials, _, err := o.plan()
		require.NoError(t, err)
		seen, groups := map[string]bool{}, map[string]bool{}
		for _, trial := range trials {
			seen[trial.Contender] = true
			groups[trial.Group] = true
		}
		for _, c := range o.contenders {
			require.True(t, seen[c.Name], c.Name)
		}
		require.GreaterOrEqual(t, len(groups), 18)
	}
}
