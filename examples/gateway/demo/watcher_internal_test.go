package demo

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFollow(t *testing.T) {
	start := time.Now()
	w := watcher{script: tenSeconds(), start: start}
	w.follow(slices.Values([]Change{
		{Route: "payments", State: open, At: start.Add(2), Until: start.Add(9)},
		{Route: "unknown", State: open, At: start.Add(3)},
		{Route: "catalog", State: open, At: start.Add(4), Until: start.Add(5)},
		{Route: "payments", State: halfOpen, At: start.Add(9)},
		{Route: "catalog", State: closed, At: start.Add(9)},
	}))
	require.Len(t, w.changes, 4)
	require.Equal(t, change{2, 2, open, 9}, w.changes[0])
	require.Equal(t, change{9, 2, halfOpen, 0}, w.changes[2])
	for at, want := range map[int]string{1: open, 2: open, 3: halfOpen, 4: halfOpen} {
		s := story{at: 3, changes: w.changes[:at]}
		state, left := s.breaker(2)
		require.Equal(t, want, state)
		require.Equal(t, map[bool]time.Duration{true: 6}[want == open], left)
		state, _ = s.breaker(0)
		require.Equal(t, map[bool]string{true: open, false: closed}[at == 2 || at == 3], state)
		state, _ = s.breaker(1)
		require.Equal(t, closed, state)
	}
}
