package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

// sickness is a breaker of charlie's that opens at 1 s, tries at 2 s and at 3 s, and then closes.
var sickness = []change{
	{1000 * time.Millisecond, 2, breaker.Open},
	{2000 * time.Millisecond, 2, breaker.HalfOpen},
	{2001 * time.Millisecond, 2, breaker.Open},
	{3000 * time.Millisecond, 2, breaker.HalfOpen},
	{3250 * time.Millisecond, 2, breaker.Closed},
}

func TestLane(t *testing.T) {
	require.Equal(t, strings.Repeat("─", 60), lane(0, sickness, 6*time.Second))
	require.Equal(t,
		"──────────"+"██████████"+"▒█████████"+"▒▒▒───────"+"──────────"+"──────────",
		lane(2, sickness, 6*time.Second))
	require.Equal(t, strings.Repeat("─", 30)+strings.Repeat("█", 30), lane(2, sickness[:1], 2*time.Second))
	require.Equal(t, strings.Repeat("─", 59)+"█", lane(2, sickness[:1], time.Second), "a change at the very end")
}

func TestLaneOfTheShard(t *testing.T) {
	plan := schedule{dead: time.Second, failing: 3 * time.Second, well: 3500 * time.Millisecond}
	require.Equal(t, "··········"+strings.Repeat("x", 20)+"55555"+strings.Repeat("·", 25), plan.lane(6*time.Second))
}

func TestAxis(t *testing.T) {
	require.Equal(t, "0s        1s        2s        3s        4s        5s        6s", axis(6*time.Second))
	require.Equal(t, axis(6*time.Second), axis(6003*time.Millisecond), "a run is never of the very length")
	require.Equal(t, "0s          0.2s        0.4s        0.6s        0.8s        1s", axis(time.Second))
	require.Equal(t, "0s             5s             10s            15s            20s", axis(20*time.Second))
	for ms := time.Duration(1); ms < 1e7; ms += 1 + ms/3 {
		labels := strings.Fields(axis(ms * time.Millisecond))
		require.LessOrEqual(t, len(labels), 7, "%v", labels)
		require.LessOrEqual(t, len(axis(ms*time.Millisecond)), columns+8)
	}
}

func TestTimelineIsAligned(t *testing.T) {
	text := timeline(newSchedule(1, 6*time.Second), sickness, 6*time.Second)
	require.Equal(t, ""+
		"            0s        1s        2s        3s        4s        5s        6s\n"+
		"charlie     ──────────██████████▒█████████▒▒▒───────────────────────────\n"+
		"its server  ·············xxxxxxxxxxxxxxxxxxxx5555555····················\n"+
		"            ─ closed  █ open  ▒ half-open   server: · well  x dead  5 gives 503\n", text)
}
