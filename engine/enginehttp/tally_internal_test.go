package enginehttp

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestATallyLosesNothing, where goroutines do nothing but count.
func TestATallyLosesNothing(t *testing.T) {
	const goroutines, times = 8, 50_000
	var tally tally
	var running sync.WaitGroup
	for range goroutines {
		running.Go(func() {
			for i := range times {
				tally.begin()
				tally.end(ending(i % int(endings)))
			}
		})
	}
	running.Wait()
	var sum uint64
	for _, n := range tally.ended.read() {
		require.InDelta(t, goroutines*times/int(endings), n, goroutines)
		sum += n
	}
	require.EqualValues(t, goroutines*times, sum)
	require.Zero(t, tally.inFlight.Load())
}

func TestTheClassOfAStatus(t *testing.T) {
	for status, want := range map[int]ending{
		100: 1, 199: 1, 200: 2, 399: 3, 404: 4, 499: 4, 500: 5, 599: 5,
		600: 5, 999: 5, 99: 5, 1: 5, 0: 5, -1: 5, -200: 5, 1 << 30: 5,
	} {
		require.Equal(t, want, endOf(status), status)
	}
	require.Less(t, ending(5), endLimited, "no class is another ending")
}
