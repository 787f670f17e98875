package main

import (
	"bytes"
	"math"
	"os"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

func TestLookFindsWhatHappenedInBetween(t *testing.T) {
	open := func(left time.Duration) look { return look{breaker.Open, left} }
	var closed look
	halfOpen := look{state: breaker.HalfOpen}
	for _, row := range []struct {
		name        string
		before, now look
		want        []breaker.State
	}{
		{"nothing", closed, closed, nil},
		{"time passed", open(5), open(4), nil},
		{"it opened", closed, open(5), []breaker.State{breaker.Open}},
		{"a probe is out", open(1), halfOpen, []breaker.State{breaker.HalfOpen}},
		{"the probe was answered", halfOpen, closed, []breaker.State{breaker.Closed}},
		{"a probe was sent and failed", open(1), open(5), []breaker.State{breaker.HalfOpen, breaker.Open}},
		{"a probe was sent and answered", open(1), closed, []breaker.State{breaker.HalfOpen, breaker.Closed}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got []breaker.State
			seen := row.before
			for _, c := range seen.next(2, row.now, time.Second) {
				require.Equal(t, change{time.Second, 2, c.to}, c)
				got = append(got, c.to)
			}
			require.Equal(t, row.want, got)
			require.Equal(t, row.now, seen)
		})
	}
}

func TestLineFitsATerminal(t *testing.T) {
	for _, n := range []int{0, 9999, 10_000, 9_999_999, math.MaxInt} {
		synctest.Test(t, func(t *testing.T) {
			w := watcher{tallies: make([]tally, len(tenants)), seen: make([]look, len(tenants)), start: time.Now()}
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
