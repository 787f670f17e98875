package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// TestCallsThatLackTheSameTokensPassNoPlaceAround has calls of a chain that find a place and no token. If they passed the
// place from one to the other while they wait, they would read the clock all the time.
func TestCallsThatLackTheSameTokensPassNoPlaceAround(t *testing.T) {
	var read atomic.Int64
	counted := countedClock{clock.System(), &read}
	eachDispatch(t, engine.Config{Concurrency: limiter.InFlight{Max: 1}, Clock: counted}, func(t *testing.T, narrow *engine.Engine) {
		wide := start(t, engine.Config{Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}, Clock: counted})
		k := engine.Chain(narrow.Key("n"), wide.Key("w"))
		begin := time.Now()
		const callers = 6
		went := make(chan time.Duration, callers+1)
		call := func() {
			err := k.Run(t.Context(), func(context.Context) error {
				went <- time.Since(begin)
				time.Sleep(time.Minute)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
		go call()
		synctest.Wait()
		for range callers {
			go call() // each lacks a place, and then a token
		}
		for i := range callers + 1 {
			select {
			case at := <-went:
				require.Equal(t, time.Duration(i)*time.Hour, at)
			case <-time.After(24 * time.Hour):
				t.Fatalf("call %d does not go", i)
			}
		}
		require.Less(t, read.Swap(0), int64(20_000))
		time.Sleep(time.Hour)
		require.Zero(t, narrow.Stats().InFlight)
		require.Zero(t, wide.Stats().KeptSpent)
	})
}
