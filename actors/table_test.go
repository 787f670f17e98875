package actors_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
)

// TestTheTableAgainstAModel fills and empties it. It holds what a map holds, in as few buckets as it should, and comes by every key once.
func TestTheTableAgainstAModel(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	table := actors.NewTable()
	model := map[string]bool{}
	const most = 8_000
	for phase := range 8 {
		for range 2 * most {
			key := fmt.Sprint(random.IntN(most))
			grow := phase%2 == 0
			switch c := table.Load(key); {
			case c != nil:
				require.True(t, model[key])
				require.Equal(t, key, c.Key())
				if !grow {
					table.Delete(c)
					delete(model, key)
				}
			default:
				require.False(t, model[key])
				if grow {
					table.Store(key)
					model[key] = true
				}
			}
		}
		seen := map[string]bool{}
		for key := range table.All() {
			require.False(t, seen[key], "twice")
			seen[key] = true
		}
		require.Equal(t, model, seen)
		buckets, segments := table.Size()
		require.LessOrEqual(t, 2*len(model), actors.TablePair*buckets)
		require.LessOrEqual(t, actors.TablePair*(buckets-1), 4*len(model)+4*actors.TablePair)
		require.LessOrEqual(t, segments, buckets/128+2, "memory that is not needed is given back")
	}
}

// TestLookupsDuringGrowthAndShrinking: the keys that stay are found all the time, and come once in every round through all, while a
// hundred times as many come and go.
func TestLookupsDuringGrowthAndShrinking(t *testing.T) {
	const stay, come = 100, 4_000
	table := actors.NewTable()
	for i := range stay {
		table.Store(fmt.Sprint("stays ", i))
	}
	var over atomic.Bool
	var readers sync.WaitGroup
	for r := range 3 {
		readers.Go(func() {
			for i := r; !over.Load(); i++ {
				if table.Load(fmt.Sprint("stays ", i%stay)) == nil {
					t.Errorf("%d is not found", i%stay)
					return
				}
				if i%50 != 0 {
					continue
				}
				seen := map[string]int{}
				for key := range table.All() {
					seen[key]++
				}
				for i := range stay {
					if n := seen[fmt.Sprint("stays ", i)]; n != 1 {
						t.Errorf("%d comes %d times", i, n)
						return
					}
				}
			}
		})
	}
	for range 8 {
		for i := range come {
			table.Store(fmt.Sprint(i))
		}
		for i := range come {
			table.Delete(table.Load(fmt.Sprint(i)))
		}
	}
	over.Store(true)
	readers.Wait()
}
