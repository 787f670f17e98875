package main

import (
	"testing"
	"time"

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

	require.Equal(t, "So far nobody was limited and no breaker has opened.\n", verdictOf(nil, func([]tally) {}))
	require.Equal(t, ""+
		"charlie's breaker opened at 1.10s, kept 1 call off the sick shard\n"+
		"and sent 2 probes; it closed 410ms after the shard was well.\n"+
		"delta sent more than it may: 75% of its calls were turned away,\n"+
		"the others stood in its own queue.\n"+
		"alpha, bravo and echo noticed nothing of that: 0 calls limited,\n"+
		"0 refused, 0 failed; 3 retries made up for the bad answers of their own shards.\n",
		verdictOf(closed, func(all []tally) {
			all[0].attempts += 3
			all[2].ended[refused] = 1
			all[3].ended[limited] = 30
		}))
	require.Contains(t, verdictOf(opened, func([]tally) {}), "it is half-open at the end.\n")
	require.Contains(t, verdictOf(opened, func(all []tally) { all[4].ended[failed] = 2 }), "alpha, bravo, delta and echo")
	require.Contains(t, verdictOf(opened, func(all []tally) { all[4].ended[failed] = 2 }), "2 failed")
}

func TestCountsOfNothing(t *testing.T) {
	text := counts(make([]tally, len(tenants)))
	require.Contains(t, text, "alpha        0         0   0        0        0       0    -    -\n")
	require.NotContains(t, text, "Not counted")
}
