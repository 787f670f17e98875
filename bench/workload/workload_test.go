package workload_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestCallsEndAsTheyMust has every contender make a few calls of every workload that it takes part in.
func TestCallsEndAsTheyMust(t *testing.T) {
	keys := workload.Populations()[1].Keys()
	for _, w := range workload.All() {
		for _, c := range contender.All() {
			if !w.Takes(c) {
				continue
			}
			t.Run(w.Name+"/"+c.Name, func(t *testing.T) {
				g, err := w.Start(c, keys)
				require.NoError(t, err)
				walk := keys.Walk(1)
				for range 5000 {
					require.True(t, w.Call(g, walk.Next()))
				}
				require.NoError(t, g.Close())
			})
		}
	}
}

// TestPopulations checks that the order of calls is the distribution that its name says, from wherever a walk starts.
func TestPopulations(t *testing.T) {
	for _, p := range workload.Populations() {
		keys := p.Keys()
		require.Equal(t, p.Name, keys.Name)
		calls := map[string]int{}
		walk := keys.Walk(7)
		for range keys.Order {
			calls[walk.Next().Name]++
		}
		most := 0
		for _, n := range calls {
			most = max(most, n)
		}
		share := float64(most) / float64(len(keys.Order))
		switch p.Name {
		case "1":
			require.Len(t, calls, 1)
		case "1k":
			require.Len(t, calls, 1000)
			require.InDelta(t, 0.001, share, 0.0005)
		case "100k":
			require.Greater(t, len(calls), 90_000)
		case "zipf10k":
			require.Greater(t, len(calls), 5_000)
			require.InDelta(t, 0.15, share, 0.03) // 1 / sum of k^-1.1 over 10k keys
		}
	}
}

func TestContendersAreDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range contender.All() {
		require.False(t, seen[c.Name], c.Name)
		seen[c.Name] = true
		require.True(t, c.Kind == contender.Ours || c.Cannot != "", "what %s cannot do is not said", c.Name)
	}
}
