package main

import (
	"bytes"
	"math"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

func TestFollowNotesTheChangesOfBreakers(t *testing.T) {
	start := time.Now()
	w := watcher{tallies: make([]tally, len(tenants)), start: start}
	w.follow(slices.Values([]engine.Event{
		{At: start.Add(1), Kind: engine.Reconfigured},
		{At: start.Add(2), Kind: engine.Tripped, Key: "charlie", To: breaker.Open},
		{At: start.Add(3), Kind: engine.Probing, Key: "charlie", From: breaker.Open, To: breaker.HalfOpen},
		{At: start.Add(4), Kind: engine.Tripped, Key: "echo", To: breaker.Open},
	}))
	require.Equal(t, []change{{2, 2, breaker.Open}, {3, 2, breaker.HalfOpen}, {4, 4, breaker.Open}}, w.changes)
	require.Equal(t, []breaker.State{breaker.Closed, breaker.Closed, breaker.HalfOpen, breaker.Closed, breaker.Open}, w.states())
	require.Regexp(t, `alpha ─.*bravo ─.*charlie ▒.*delta ─.*echo █`, w.line())
}

func TestLineFitsATerminal(t *testing.T) {
	for _, n := range []int{0, 9999, 10_000, 9_999_999, math.MaxInt} {
		synctest.Test(t, func(t *testing.T) {
			w := watcher{tallies: make([]tally, len(tenants)), start: time.Now()}
			for i := range w.tallies {
				w.tallies[i].ended[answered] = n
			}
			time.Sleep(24 * time.Hour)
			require.LessOrEqual(t, utf8.RuneCountInString(w.line()), 77)
		})
	}
	require.Equal(t, "9999", rounded(9999))
	require.Equal(t, "10k", rounded(10_000))
	require.Equal(t, "12M", rounded(12_999_999))
}

func TestScreenWithoutATerminal(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	require.NoError(t, err)
	defer file.Close()
	require.False(t, newScreen(file).redraw)
	require.False(t, newScreen(&bytes.Buffer{}).redraw)
}

func TestScreenRedraws(t *testing.T) {
	var out bytes.Buffer
	s := screen{out: &out, redraw: true}
	s.live("one")
	s.endLive("two")
	require.Equal(t, "\rone  \rtwo  \n", out.String())

	out.Reset()
	s = screen{out: &out, interval: time.Hour}
	s.live("one")
	s.endLive("two")
	require.Equal(t, "one\n", out.String(), "the last line has just been written")
}

func TestPaint(t *testing.T) {
	require.Equal(t, "─██▒", (&screen{}).paint("─██▒"))
	require.Equal(t, "─\x1b[31m██\x1b[0m\x1b[33m▒\x1b[0m", (&screen{color: true}).paint("─██▒"))
}
