package engine_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/retry"
)

// TestARetryStormStaysSmall has a thousand callers, each with three attempts a second, lose their
// upstream for a minute. The attempts that reach the upstream are at first the calls under way when
// the breaker opened, then a probe for each recovery. Within two recoveries after the outage all is
// well. (T18; without the breaker there would be 2,000 to 3,000 attempts a second.)
func TestARetryStormStaysSmall(t *testing.T) {
	t.Parallel()
	const callers, recovery = 1000 / slowdown, 5 * time.Second
	cfg := engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 5, RecoveryTimeout: recovery},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: 100 * time.Millisecond},
	}
	seed := random(t).Uint64()
	var calls, attempts, worst, slowest atomic.Int64
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		begin := time.Now()
		outage := time.Minute + time.Duration(seed%uint64(recovery))
		downAt, upAt := begin.Add(10*time.Second), begin.Add(10*time.Second+outage)
		var windows [7]atomic.Int64 // attempts in each ten seconds of the outage
		var underWay, most, lastBad atomic.Int64
		dependency := func(context.Context) error {
			now := time.Now()
			down := !now.Before(downAt) && now.Before(upAt)
			if down {
				windows[now.Sub(downAt)/(10*time.Second)].Add(1)
			} else if now.Before(downAt) {
				most.Store(max(most.Load(), underWay.Add(1)))
				defer underWay.Add(-1)
			}
			time.Sleep(10 * time.Millisecond)
			if down {
				return errDown
			}
			return nil
		}
		for i := range callers {
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			go func() {
				for time.Since(begin) < 100*time.Second {
					time.Sleep(time.Duration(rng.Int64N(int64(2 * time.Second))))
					calls.Add(1)
					if eng.Run(context.Background(), "dependency", dependency) != nil {
						lastBad.Store(int64(time.Since(upAt)))
					}
				}
			}()
		}
		time.Sleep(105 * time.Second)
		synctest.Wait()
		t.Logf("at most %d calls were under way; in the first ten seconds of the outage there were %d attempts", most.Load(), windows[0].Load())
		for i := range windows {
			attempts.Add(windows[i].Load())
			if i == 0 {
				require.LessOrEqual(t, windows[i].Load(), 5+most.Load()+10*int64(time.Second)/int64(recovery)+1)
				continue
			}
			worst.Store(max(worst.Load(), windows[i].Load()))
			require.LessOrEqual(t, windows[i].Load(), 10*int64(time.Second)/int64(recovery), "a probe for each recovery, and no retry of one")
		}
		require.Positive(t, windows[5].Load(), "it must keep trying")
		slowest.Store(max(slowest.Load(), lastBad.Load()))
		require.Less(t, time.Duration(lastBad.Load()), 2*recovery)
		require.Equal(t, breaker.Closed, inspect(t, eng, "dependency").Breaker)
	})
	figure(t, "calls", calls.Load())
	figure(t, "attempts-in-outage", attempts.Load())
	figure(t, "worst-window", worst.Load())
	figure(t, "recovery-ms", time.Duration(slowest.Load()).Milliseconds())
}
