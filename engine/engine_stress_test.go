package engine_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// TestCloseInMidFlight closes engines under load: every call has an outcome, and no goroutine
// stays.
func TestCloseInMidFlight(t *testing.T) {
	for round := range 100 {
		eng, err := engine.New(engine.Config{
			Limiter:   limiter.TokenBucket{Capacity: 100, RefillRate: limiter.PerSecond(1e6)},
			Breaker:   opensAfter(1 << 20),
			Retry:     &retry.Policy{BaseDelay: time.Microsecond},
			IdleAfter: time.Millisecond,
			MaxKeys:   3,
			Dispatch:  engine.Dispatch(round % 2),
		})
		require.NoError(t, err)
		var wg sync.WaitGroup
		var begun, ended, executed atomic.Int64
		for g := range 8 {
			wg.Go(func() {
				for i := 0; ; i++ {
					begun.Add(1)
					err := eng.Run(context.Background(), string(rune('a'+(g+i)%5)), func(context.Context) error {
						executed.Add(1)
						if i%3 == 0 {
							return errDown
						}
						return nil
					})
					ended.Add(1)
					if i > 20 && err != nil && isClosed(err) {
						return
					}
				}
			})
		}
		for executed.Load() < 200 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Microsecond)
			_ = eng.Acquire(ctx, "a")
			cancel()
		}
		require.NoError(t, eng.Close(context.Background()))
		wg.Wait()
		require.Equal(t, begun.Load(), ended.Load())
		require.Zero(t, eng.Stats().Actors)
	}
}
