package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryCallEndsAsItMust: each contender of the table makes the calls of each row.
func TestEveryCallEndsAsItMust(t *testing.T) {
	for _, r := range rows {
		for _, by := range []string{byName, byHandle, mutex} {
			require.NoError(t, perform(r.name, by, 100), "%s by %s", r.name, by)
		}
	}
}

func TestWhatIsNotThereIsSaid(t *testing.T) {
	require.ErrorContains(t, perform("Run", "nobody", 1), `no contender "nobody" with calls "Run"`)
	t.Setenv("PATH", "")
	var out bytes.Buffer
	require.NoError(t, run(nil, &out))
	require.Contains(t, out.String(), "skipped, valgrind is not installed")
}

// TestACallThatEndsAsItMustNotIsAnError, so that nobody counts the instructions of something else.
func TestACallThatEndsAsItMustNotIsAnError(t *testing.T) {
	was := rows
	defer func() { rows = was }()
	rows = []row{{name: "Run", call: runs(fail)}}
	require.ErrorContains(t, perform("Run", byName, 10), "9 of 10 calls")
}

func TestTheTable(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, table(&out, func(_, by string) (float64, error) {
		return map[string]float64{byName: 220, byHandle: 110, mutex: 200}[by], nil
	}))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 1+len(rows))
	require.Equal(t, []string{"Run", "220", "110", "200", "1.10", "0.55"}, strings.Fields(lines[1]))
	failed := errors.New("no count")
	require.ErrorIs(t, table(io.Discard, func(string, string) (float64, error) { return 0, failed }), failed)
}
