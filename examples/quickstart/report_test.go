package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

func TestTable(t *testing.T) {
	require.Equal(t, ""+
		"name    calls  →\n"+
		"a           7  3\n"+
		"longer     10  █\n",
		table([][]string{{"name", "calls", "→"}, {"a", "7", "3"}, {"longer", "10", "█"}}))
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                         "-",
		40 * time.Microsecond:     "0.0ms",
		5349 * time.Microsecond:   "5.3ms",
		9949 * time.Microsecond:   "9.9ms",
		9950 * time.Microsecond:   "10ms",
		999499 * time.Microsecond: "999ms",
		999500 * time.Microsecond: "1.00s",
		1014 * time.Millisecond:   "1.01s",
	} {
		require.Equal(t, want, short(d))
	}
}

// verdictOf is the verdict on a run in which every tenant had 10 calls, all answered, except as change says.
func verdictOf(changes []change, change func([]tally)) string {
	tallies := make([]tally, len(tenants))
	for i := range tallies {
		tallies[i].attempts = 10
		tallies[i].ended[answered] = 10
	}
	change(tallies)
	return verdict(schedule{dead: time.Second, failing: 2 * time.Second, well: 3 * time.Second}, tallies, changes)
}

func TestVerdict(t *testing.T) {
	opened := []change{
		{1100 * time.Millisecond, 2, breaker.Open},
		{2900 * time.Millisecond, 2, breaker.HalfOpen},
		{2910 * time.Millisecond, 2, breaker.Open},
		{3400 * time.Millisecond, 2, breaker.HalfOpen},
	}
	closed := append(opened[:4:4], change{3410 * time.Millisecond, 2, breaker.Closed})

	require.Equal(t, "alpha, bravo, charlie, delta and echo: 0 calls limited, 0 refused, 0 failed; 0\nretries.\n",
		verdictOf(nil, func([]tally) {}))
	require.Equal(t, ""+
		"charlie's breaker opened at 1.10s, refused 1 call and let 2 probes through; it\n"+
		"closed 410ms after the server was well.\n"+
		"30 of the 40 calls of delta were limited.\n"+
		"alpha, bravo and echo: 0 calls limited, 0 refused, 0 failed; 3 retries.\n",
		verdictOf(closed, func(all []tally) {
			all[0].attempts += 3
			all[2].ended[refused] = 1
			all[3].ended[limited] = 30
		}))
	require.Contains(t, verdictOf(opened, func([]tally) {}), "it\nis half-open at the end.\n")
	require.Contains(t, verdictOf(closed[:5:5], func([]tally) {}), "let 2 probes through")
	require.Contains(t, verdictOf(append(opened[:1:1], change{2 * time.Second, 2, breaker.Closed}), func([]tally) {}),
		"let 0 probes through; it\nclosed at 2.00s.\n")
	harmed := verdictOf(opened, func(all []tally) { all[4].ended[failed] = 2 })
	require.Contains(t, harmed, "alpha, bravo, delta and echo: 0 calls limited, 0 refused, 2 failed;")
}

// TestVerdictOfABadDay has every breaker open and every tenant above its limit.
func TestVerdictOfABadDay(t *testing.T) {
	var changes []change
	for i := range tenants {
		changes = append(changes, change{time.Second, i, breaker.Open})
	}
	text := verdictOf(changes, func(all []tally) {
		for i := range all {
			all[i].ended[limited] = 123456
		}
	})
	require.Contains(t, text, "Breakers that opened too: alpha, bravo, delta and echo.\n")
	require.Contains(t, text, "123456 of the 123466 calls of alpha")
	require.NotContains(t, text, "0 calls limited")
	worst := report(newSchedule(1, 6*time.Second), make([]tally, len(tenants)), nil, time.Second) + text
	require.LessOrEqual(t, strings.Count(worst, "\n"), 23, "rows of a terminal beside the prompt")
	for line := range strings.SplitSeq(text, "\n") {
		require.LessOrEqual(t, utf8.RuneCountInString(line), width)
	}
}

func TestCountsOfNothing(t *testing.T) {
	require.Contains(t, counts(make([]tally, len(tenants))), "alpha        0   0        0        0       0         0    -    -\n")
}

// TestIntroductionFitsATerminal whatever the times are.
func TestIntroductionFitsATerminal(t *testing.T) {
	for _, length := range []time.Duration{time.Second, 6 * time.Second, time.Hour, 24 * time.Hour} {
		for line := range strings.SplitSeq(introduction(newSchedule(1, length), length), "\n") {
			require.LessOrEqual(t, utf8.RuneCountInString(line), width, line)
		}
	}
	require.Equal(t, "99.99s", seconds(99990*time.Millisecond))
	require.Equal(t, "86400s", seconds(24*time.Hour))
}
