package demo

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/internal/pipes"
	"github.com/limitpal/limitpal-go/examples/internal/terminal"
)

// The tests in this file perform the demonstration in bubbles, on a network in memory.

// perform plays s with f as the gateway, on a screen, until it is interrupted, or to its end if that comes first.
func perform(t *testing.T, s script, f *fake, screen *screen, interrupted time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		defer time.AfterFunc(interrupted, cancel).Stop()
		n := new(pipes.Network)
		f.network = n
		require.NoError(t, s.play(ctx, n, screen, f.serve))
		require.EqualValues(t, 1, f.closed.Load())
		if interrupted > s.length {
			require.EqualValues(t, 1, f.reloaded.Load())
		}
	})
}

// printed is the output of the demonstration to a file or a pipe.
func printed(t *testing.T, s script, interrupted time.Duration) string {
	t.Helper()
	var out bytes.Buffer
	perform(t, s, new(fake), newScreen(&out, func() int { return 0 }), interrupted)
	return out.String()
}

// shown is a terminal of 80 columns and 24 rows after the demonstration, with the prompt of a shell.
func shown(t *testing.T, s script, interrupted time.Duration) *terminal.Screen {
	t.Helper()
	term := terminal.New(80, 24)
	perform(t, s, new(fake), &screen{out: term, live: true, ink: true, interval: 125 * ms, height: func() int { return 24 }}, interrupted)
	_, _ = io.WriteString(term, "$ ")
	return term
}

// rowsOf reads the counts of the summary's table, by route.
func rowsOf(t *testing.T, text string) map[string][]int {
	t.Helper()
	rows := map[string][]int{}
	for _, row := range regexp.MustCompile(`(?m)^(\w+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +\S+ +\S+ +\S+$`).FindAllStringSubmatch(text, -1) {
		for _, cell := range row[2:] {
			n, err := strconv.Atoi(cell)
			require.NoError(t, err)
			rows[row[1]] = append(rows[row[1]], n)
		}
	}
	require.Len(t, rows, 3, text)
	return rows
}

func TestPlay(t *testing.T) {
	text := printed(t, tenSeconds(), time.Hour)
	rows := rowsOf(t, text)
	for name, r := range rows {
		require.Positive(t, r[1], "2xx of %s:\n%s", name, text)
		require.Equal(t, r[0], r[1]+r[2]+r[3]+r[4], "%s:\n%s", name, text)
		require.GreaterOrEqual(t, r[5], r[1], "requests that reached the upstream of %s:\n%s", name, text)
		require.Equal(t, name == "catalog", r[2] > 0, "429 of %s:\n%s", name, text)
		require.Equal(t, name == "payments", r[3] > 0, "refused of %s:\n%s", name, text)
		require.Equal(t, name == "payments", r[4] > 0, "failed of %s:\n%s", name, text)
	}
	require.Regexp(t, `(?m)^payments +─{8}.*█+▒█+▒.*─{4}$`, text)
	require.Contains(t, text, "payments: the breaker opened")
	require.Regexp(t, `The\sbreaker\sclosed\s\d+ms\safter`, text)
	require.Regexp(t, `\n limit     50/s {30}40/s\n`, text)
	require.Regexp(t, `(?m)^  8\.5s  A new file sets 40/s per client of catalog; [1-9]\d* requests? under way\.$`, text)
	require.Contains(t, text, "\ncatalog and orders: 0 requests refused, 0 failed.\n")
	require.Regexp(t, `\nscraper: [1-9]\d* of \d+ requests got 429\. The other clients: 0 of \d+ requests\.\n`, text)
	require.NotContains(t, text, "\x1b", "control sequences without a terminal")
	require.NotContains(t, text, "\r")
	require.Regexp(t, `(?m)^  4\.0s  resets       open {7} +\d+ of \d+ +\d+ of \d+ +0 of \d+$`, text)
}

// TestTheEndFitsATerminal: no line is cut or wrapped, and the whole summary stays on the screen.
func TestTheEndFitsATerminal(t *testing.T) {
	for name, interrupted := range map[string]time.Duration{
		"as it is": time.Hour, "interrupted": 4 * time.Second, "interrupted at once": time.Nanosecond,
	} {
		t.Run(name, func(t *testing.T) {
			term := shown(t, tenSeconds(), interrupted)
			text := strings.Join(term.Lines(), "\n")
			require.Empty(t, term.Wrapped())
			if name != "interrupted at once" { // when there is nothing to tell
				require.Contains(t, "\n"+text, "\nroute      answers", "the beginning of the summary")
				require.NotContains(t, text, "The last second", "the block is erased")
			}
			require.True(t, strings.HasSuffix(text, "\n$") || text == "$", text)
		})
		t.Run(name+", to a file", func(t *testing.T) {
			term := terminal.New(80, 24)
			_, _ = io.WriteString(term, printed(t, tenSeconds(), interrupted))
			require.Empty(t, term.Wrapped())
		})
	}
}

func TestPlayInterruptedBeforeTheSickness(t *testing.T) {
	text := printed(t, tenSeconds(), time.Second)
	require.Positive(t, rowsOf(t, text)["orders"][1])
	require.Contains(t, text, "The run ended before the upstream of payments fell sick, at 2s.")
}

func TestPlayInterruptedBeforeItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := new(pipes.Network)
		f := &fake{network: n}
		var out bytes.Buffer
		require.NoError(t, tenSeconds().play(ctx, n, newScreen(&out, func() int { return 0 }), func(config []byte) (*Gateway, error) {
			cancel()
			return f.serve(config)
		}))
		require.EqualValues(t, 1, f.closed.Load())
		require.Empty(t, out.String())
	})
}
