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
	keys := contender.NewKeys(1000)
	for _, w := range workload.All() {
		for _, c := range contender.All() {
			if !w.Takes(c) {
				continue
			}
			t.Run(w.Name+"/"+c.Name, func(t *testing.T) {
				g, err := w.Start(c, keys)
				require.NoError(t, err)
				p, ok := workload.PopulationNamed("1k")
				require.True(t, ok)
				walk := p.Walks(keys)(1)
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
		keys := contender.NewKeys(p.Size)
		calls := make([]int, p.Size)
		walk := p.Walks(keys)(7)
		n := max(1<<18, p.Size)
		for range n {
			calls[walk.Next().Slot]++
		}
		most, seen := 0, 0
		for _, n := range calls {
			most = max(most, n)
			seen += min(n, 1)
		}
		share := float64(most) / float64(n)
		switch p.Name {
		case "1", "own":
			require.Equal(t, 1, seen)
		case "1k":
			require.Equal(t, 1000, seen)
			require.InDelta(t, 0.001, share, 0.0005)
		case "100k":
			require.Greater(t, seen, 90_000)
		case "1M":
			require.Greater(t, seen, 600_000) // 1 - 1/e of them
		case "zipf10k":
			require.Greater(t, seen, 5_000)
			require.InDelta(t, 0.15, share, 0.03) // 1 / sum of k^-1.1 over 10k keys
		case "zipf1M":
			require.Greater(t, seen, 50_000)
			require.InDelta(t, 0.12, share, 0.03)
		default:
			t.Errorf("population %s is not checked", p.Name)
		}
	}
}

func TestFreshKeysComeOnce(t *testing.T) {
	keys := contender.NewKeys(1000)
	f := workload.NewFresh(keys)
	seen := make([]bool, keys.Len())
	a, b := f.Walk(), f.Walk()
	for i := range keys.Len() - 2*64 {
		walk := a
		if i%3 == 0 {
			walk = b
		}
		key := walk.Next()
		require.False(t, seen[key.Slot], "%s came twice", key.Name)
		require.Equal(t, keys.At(key.Slot), key)
		seen[key.Slot] = true
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
