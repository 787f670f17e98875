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
	const probes = 10 * int64(time.Second) / int64(recovery) // in ten seconds
	cfg := engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 5, RecoveryTimeout: recovery},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: 100 * time.Millisecond},
	}
	seed := random(t).Uint64()
	var calls, attempts, worst, slowest int64
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		begin := time.Now()
		o := outage{downAt: begin.Add(10 * time.Second)}
		o.upAt = o.downAt.Add(time.Minute + time.Duration(seed%uint64(recovery)))
		for i := range callers {
			go o.callUntil(begin.Add(100*time.Second), eng, rand.New(rand.NewPCG(seed, uint64(i))))
		}
		time.Sleep(105 * time.Second)
		synctest.Wait()
		t.Logf("at most %d calls were under way; in the first ten seconds of the outage there were %d attempts", o.most.Load(), o.windows[0].Load())
		require.LessOrEqual(t, o.windows[0].Load(), 5+o.most.Load()+probes+1)
		for i := range o.windows {
			attempts += o.windows[i].Load()
			if i > 0 {
				worst = max(worst, o.windows[i].Load())
				require.LessOrEqual(t, o.windows[i].Load(), probes, "a probe for each recovery, and no retry of a probe")
			}
		}
		require.Positive(t, o.windows[5].Load(), "the engine must keep trying")
		require.Less(t, time.Duration(o.lastBad.Load()), 2*recovery)
		require.Equal(t, breaker.Closed, inspect(t, eng, "dependency").Breaker)
		calls += o.calls.Load()
		slowest = max(slowest, o.lastBad.Load())
	})
	figure(t, "calls", calls)
	figure(t, "attempts-in-outage", attempts)
	figure(t, "worst-window", worst)
	figure(t, "recovery-ms", time.Duration(slowest).Milliseconds())
}

// outage is a dependency with an outage, and the counts of its calls.
type outage struct {
	downAt, upAt   time.Time
	windows        [7]atomic.Int64 // attempts in each ten seconds of the outage
	underWay, most atomic.Int64    // attempts before the outage: now, and at most at a time
	calls          atomic.Int64
	lastBad        atomic.Int64 // the end of the last call that failed, in ns since upAt
}

// serve is an attempt that reaches the dependency.
func (o *outage) serve(context.Context) error {
	now := time.Now()
	down := !now.Before(o.downAt) && now.Before(o.upAt)
	if down {
		o.windows[now.Sub(o.downAt)/(10*time.Second)].Add(1)
	} else if now.Before(o.downAt) {
		o.most.Store(max(o.most.Load(), o.underWay.Add(1)))
		defer o.underWay.Add(-1)
	}
	time.Sleep(10 * time.Millisecond)
	if down {
		return errDown
	}
	return nil
}

// callUntil makes a call a second on average, until end.
func (o *outage) callUntil(end time.Time, eng *engine.Engine, rng *rand.Rand) {
	for time.Now().Before(end) {
		time.Sleep(time.Duration(rng.Int64N(int64(2 * time.Second))))
		o.calls.Add(1)
		if eng.Run(context.Background(), "dependency", o.serve) != nil {
			o.lastBad.Store(int64(time.Since(o.upAt)))
		}
	}
}
