package main

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/internal/pipes"
	"github.com/limitpal/limitpal-go/examples/internal/terminal"
)

// The tests in this file run the whole program in bubbles, with the server on a network in memory.

// play runs the program on screen s. It is interrupted after the given time, or not at all if it ends before.
func play(t *testing.T, s *screen, seed uint64, length, interrupted time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		defer time.AfterFunc(interrupted, cancel).Stop()
		require.NoError(t, run(ctx, new(pipes.Network), s, seed, length))
	})
}

// printed is the output of the program to a file or a pipe.
func printed(t *testing.T, seed uint64, length, interrupted time.Duration) string {
	t.Helper()
	var out bytes.Buffer
	play(t, newScreen(&out), seed, length, interrupted)
	return out.String()
}

// shown is a terminal of 80 columns and 24 rows after the program, with the prompt of a shell.
func shown(t *testing.T, seed uint64, length, interrupted time.Duration) *terminal.Screen {
	t.Helper()
	term := terminal.New(80, 24)
	play(t, &screen{out: term, interval: 100 * time.Millisecond, redraw: true, color: true}, seed, length, interrupted)
	_, _ = io.WriteString(term, "$ ")
	return term
}

// tableOf reads the counts of a report: the columns by tenant.
func tableOf(t *testing.T, text string) map[string]map[string]int {
	t.Helper()
	_, text, found := strings.Cut(text, "\ntenant ")
	require.True(t, found, text)
	lines := strings.Split(text, "\n")
	columns := strings.Fields(lines[0])
	rows := map[string]map[string]int{}
	for _, line := range lines[1 : 1+len(tenants)] {
		cells := strings.Fields(line)
		row := map[string]int{}
		for i, column := range columns[:6] { // after that come durations
			n, err := strconv.Atoi(cells[i+1])
			require.NoError(t, err, line)
			row[column] = n
		}
		rows[cells[0]] = row
	}
	return rows
}

func TestRun(t *testing.T) {
	for seed := range uint64(2) {
		text := printed(t, seed, 6*time.Second, time.Hour)
		row := tableOf(t, text)
		for _, tenant := range tenants {
			r := row[tenant.name]
			require.Positive(t, r["ok"], "%s:\n%s", tenant.name, text)
			require.Equal(t, r["calls"], r["ok"]+r["limited"]+r["refused"]+r["failed"], tenant.name)
			require.GreaterOrEqual(t, r["requests"], r["ok"]+r["failed"], tenant.name)
			require.Equal(t, tenant.trouble == dying, r["refused"] > 0, "refused by the breaker of %s:\n%s", tenant.name, text)
			require.Equal(t, tenant.trouble == dying, r["failed"] > 0, "failed for %s:\n%s", tenant.name, text)
			require.Equal(t, tenant.rate > limit, r["limited"] > 0, "limited for %s:\n%s", tenant.name, text)
		}
		require.NotContains(t, text, "\x1b", "colours without a terminal")
		require.NotContains(t, text, "\r", "a line redrawn without a terminal")
	}
}

// TestASeedRepeatsARun is about what the test of README relies on.
func TestASeedRepeatsARun(t *testing.T) {
	first := printed(t, 1, 6*time.Second, time.Hour)
	require.Equal(t, first, printed(t, 1, 6*time.Second, time.Hour))
	require.NotEqual(t, first, printed(t, 2, 6*time.Second, time.Hour))
}

func TestRunInterrupted(t *testing.T) {
	text := printed(t, 1, time.Hour, 300*time.Millisecond)
	require.Positive(t, tableOf(t, text)["alpha"]["ok"])
	require.NotContains(t, text, "breaker opened")
	require.Zero(t, tableOf(t, printed(t, 1, time.Hour, time.Nanosecond))["alpha"]["calls"], "before the first call")
}

// TestTheEndFitsATerminal: no line is cut or wrapped, and the whole report stays on the screen.
func TestTheEndFitsATerminal(t *testing.T) {
	for _, r := range []struct {
		name                string
		length, interrupted time.Duration
	}{
		{"as it is", 6 * time.Second, time.Hour},
		{"short", time.Second, time.Hour},
		{"long", 20 * time.Second, time.Hour},
		{"interrupted", 24 * time.Hour, time.Second},
		{"interrupted at once", 6 * time.Second, time.Nanosecond},
	} {
		t.Run(r.name, func(t *testing.T) {
			term := shown(t, 1, r.length, r.interrupted)
			text := strings.Join(term.Lines(), "\n")
			require.Empty(t, term.Wrapped())
			require.Contains(t, text, "tenant ", "the beginning of the report")
			require.True(t, strings.HasSuffix(text, "\n$"), text)
		})
		t.Run(r.name+", to a file", func(t *testing.T) {
			term := terminal.New(80, 24)
			_, _ = io.WriteString(term, printed(t, 1, r.length, r.interrupted))
			require.Empty(t, term.Wrapped())
		})
	}
}
