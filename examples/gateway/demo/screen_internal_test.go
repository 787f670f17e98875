package demo

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// writes keeps what is written, write by write.
type writes []string

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, string(p))
	return len(p), nil
}

func TestScreenWithoutATerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	file, err := os.Create(t.TempDir() + "/out")
	require.NoError(t, err)
	defer file.Close()
	require.Zero(t, rows(file))
	s := newScreen(file, func() int { return rows(file) })
	require.False(t, s.live)
	require.False(t, bool(s.ink))
	require.Equal(t, time.Second, s.interval)
	s.print("text\n")
	s.erase()
	got, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	require.Equal(t, "text\n\n", string(got))
}

func TestScreenOnATerminal(t *testing.T) {
	for _, row := range []struct {
		term, noColor string
		live, colour  bool
	}{
		{"xterm", "", true, true},
		{"xterm", "1", true, false},
		{"dumb", "", false, false},
		{"", "", false, false},
	} {
		t.Setenv("TERM", row.term)
		t.Setenv("NO_COLOR", row.noColor)
		s := newScreen(new(writes), func() int { return 24 })
		require.Equal(t, row.live, s.live, "%+v", row)
		require.Equal(t, row.colour, bool(s.ink), "%+v", row)
	}
}

func TestScreenRedraws(t *testing.T) {
	var out writes
	s := screen{out: &out, live: true, height: func() int { return 24 }}
	s.draw("one\ntwo\n")
	s.draw("three\nfour\n")
	s.erase()
	s.erase()
	const begin, end = "\x1b[?25l\x1b[?7l\r", "\x1b[J\x1b[?7h\x1b[?25h"
	require.Equal(t, writes{
		begin + "one\x1b[K\r\ntwo\x1b[K\r\n" + end,
		begin + "\x1b[A\x1b[Athree\x1b[K\r\nfour\x1b[K\r\n" + end,
		"\r\x1b[A\x1b[A\x1b[J",
	}, out)
}

// Whenever the program may be killed, the cursor is there and lines wrap.
func TestScreenIsRestoredByEveryWrite(t *testing.T) {
	var out writes
	s := screen{out: &out, live: true, ink: true, height: func() int { return 24 }}
	for at := time.Duration(0); at < 10*time.Second; at += time.Second {
		s.draw(fixed(at).frame(s.ink))
	}
	s.erase()
	for _, text := range out {
		require.Equal(t, strings.Count(text, hideCursor), strings.Count(text, showCursor))
		require.GreaterOrEqual(t, strings.LastIndex(text, showCursor), strings.LastIndex(text, hideCursor))
		require.GreaterOrEqual(t, strings.LastIndex(text, wrapOn), strings.LastIndex(text, wrapOff))
		require.GreaterOrEqual(t, strings.LastIndex(text, plain), strings.LastIndex(text, red))
	}
}

func TestScreenTooLow(t *testing.T) {
	for rows, want := range map[int]int{0: 3, 1: 1, 2: 1, 3: 2, 4: 3, 24: 3} {
		var out bytes.Buffer
		s := screen{out: &out, live: true, height: func() int { return rows }}
		s.draw("one\ntwo\nthree\n")
		require.Equal(t, want, strings.Count(out.String(), "\n"), "%d rows", rows)
		require.Equal(t, want, s.drawn)
	}
}
