package enginenet

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTrafficLosesNothing, where goroutines do nothing but count: lanes of two connections, each in use by several goroutines, as a lane
// without a limit may be.
func TestTrafficLosesNothing(t *testing.T) {
	const goroutines, times = 8, 50_000
	var listener tally
	var lanes [2]lane
	for i := range lanes {
		lanes[i].shared, _ = listener.trafficOf(uint64(i * len(listener.stripes))) //nolint:gosec // the same stripe
	}
	var running sync.WaitGroup
	for g := range goroutines {
		l := &lanes[g%len(lanes)]
		running.Go(func() {
			for range times {
				l.passed(3)
				l.heldBack(time.Nanosecond)
			}
		})
	}
	running.Wait()
	for i := range lanes {
		require.EqualValues(t, 3*times*goroutines/len(lanes), lanes[i].own.bytes.Load())
		require.EqualValues(t, times*goroutines/len(lanes), lanes[i].own.throttled())
	}
	require.EqualValues(t, 3*times*goroutines, lanes[0].shared.bytes.Load())
	require.EqualValues(t, times*goroutines, lanes[0].shared.throttled())
	require.Same(t, lanes[0].shared, lanes[1].shared)
	other, _ := listener.trafficOf(1)
	require.NotSame(t, lanes[0].shared, other, "the next connection has the next stripe")
}
