package engine_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// TestANewKeyIsRefusedOnlyIfEveryKeyIsHeld by callers in the queue or by probes. With half of MaxKeys held by callers 5.5 % of the new keys
// used to be refused, with nine tenths of them 35 %.
func TestANewKeyIsRefusedOnlyIfEveryKeyIsHeld(t *testing.T) {
	const most = 2000
	for _, free := range []int{most / 2, most / 10, 20, 1, 0} {
		for _, probes := range []bool{false, true} {
			cfg := engine.Config{
				Limiter: oneEvery(24 * time.Hour), Breaker: &breaker.Policy{FailureThreshold: 1, ProbeTimeout: 24 * time.Hour, ForgetAfter: 48 * time.Hour},
				MaxKeys: most, IdleAfter: 24 * time.Hour,
			}
			if probes {
				cfg.Limiter = nil
			}
			t.Run(fmt.Sprintf("free=%d/probes=%v", free, probes), func(t *testing.T) {
				eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					hold := func(key string) {
						if probes {
							failTimes(t, eng, key, 1)
							return
						}
						require.NoError(t, eng.Acquire(ctx, key))
						go func() { _ = eng.Acquire(ctx, key) }()
					}
					for i := range most - free {
						hold(fmt.Sprint("held ", i))
					}
					if probes {
						time.Sleep(5 * time.Second)
						for i := range most - free {
							_, err := eng.Admit(ctx, fmt.Sprint("held ", i))
							require.NoError(t, err)
						}
					}
					synctest.Wait()
					for i := range 500 {
						err := eng.Run(t.Context(), fmt.Sprint("new ", i), fail)
						if free == 0 {
							rejected(t, err, engine.ErrKeyLimit)
						} else {
							require.ErrorIs(t, err, errDown, "call %d", i)
						}
					}
					for i := range most - free {
						_, known := eng.Inspect(fmt.Sprint("held ", i))
						require.True(t, known, "one that is held stays")
					}
				})
			})
		}
	}
}

// TestManyComeForTheLastPlaces at once: as long as there are as many free ones as callers, none is refused.
func TestManyComeForTheLastPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, together = 500, 8
		eng := start(t, engine.Config{Limiter: oneEvery(time.Hour), Breaker: opensAfter(3), MaxKeys: most})
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		defer cancel()
		for i := range most - together {
			key := fmt.Sprint("held ", i)
			require.NoError(t, eng.Acquire(ctx, key))
			go func() { _ = eng.Acquire(ctx, key) }()
		}
		synctest.Wait()
		var refused atomic.Int64
		for w := range together {
			callers.Go(func() {
				for i := range 200 {
					if eng.Run(ctx, fmt.Sprint("new ", w, " ", i), fail) != errDown {
						refused.Add(1)
					}
				}
			})
		}
		callers.Wait()
		require.Zero(t, refused.Load())
	})
}
