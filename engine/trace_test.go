package engine_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

type spanKey struct{}

// tracer writes down what the hooks of engines are told, and in which span.
type tracer []string

func (t *tracer) hooks(engine_ string) *engine.Trace {
	span := func(ctx context.Context) any { return ctx.Value(spanKey{}) }
	return &engine.Trace{
		Attempt: func(ctx context.Context, key string, a engine.Attempt) {
			*t = append(*t, fmt.Sprintf("%v %s %s: %d, %v, %v", span(ctx), engine_, key, a.Number, a.Waited, a.Last))
		},
		Rejected: func(ctx context.Context, r *engine.Rejection) {
			*t = append(*t, fmt.Sprintf("%v %s %s: %s", span(ctx), r.Engine, r.Key, r.Stage))
		},
	}
}

func (t *tracer) told() []string {
	lines := *t
	*t = nil
	return lines
}

func TestTraceTellsOfAttemptsAndRefusals(t *testing.T) {
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { traceCalls(t, d) })
		})
	}
}

func traceCalls(t *testing.T, d engine.Dispatch) {
	var tr tracer
	users := start(t, engine.Config{
		Name: "users", Dispatch: d, Trace: tr.hooks("users"), PerCall: true,
		Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(1)}, MaxWait: time.Second,
	})
	apis := start(t, engine.Config{
		Name: "apis", Dispatch: d, Trace: tr.hooks("apis"), Breaker: &breaker.Policy{FailureThreshold: 3, RecoveryTimeout: time.Minute},
		Retry: &retry.Policy{MaxAttempts: 2, BaseDelay: 10 * time.Millisecond, Jitter: retry.NoJitter},
	})
	ctx := context.WithValue(t.Context(), spanKey{}, "span")
	both := engine.Chain(users.Key("u"), apis.Key("a"))
	require.Error(t, both.Run(ctx, fail))
	require.Equal(t, []string{
		"span users u: 1, 0s, <nil>", "span apis a: 1, 0s, <nil>", "span apis a: 2, 10ms, upstream is down",
	}, tr.told())
	require.NoError(t, both.Run(ctx, succeed), "after a wait")
	require.Equal(t, []string{"span users u: 1, 990ms, <nil>", "span apis a: 1, 990ms, <nil>"}, tr.told())
	rejected(t, both.NoWait().Run(ctx, succeed), limiter.ErrLimited)
	rejected(t, both.NoWait().Acquire(ctx), limiter.ErrLimited)
	rejected(t, both.NoWait().Check(ctx), limiter.ErrLimited)
	rejected(t, users.Key("u").NoWait().Acquire(ctx), limiter.ErrLimited)
	_, err := users.Key("u").NoWait().Admit(ctx)
	rejected(t, err, limiter.ErrLimited)
	_, err = both.NoWait().Admit(ctx)
	rejected(t, err, limiter.ErrLimited)
	refused := "span users u: limiter"
	require.Equal(t, []string{refused, refused, refused, refused, refused, refused}, tr.told())

	time.Sleep(time.Minute)
	require.Error(t, apis.Run(ctx, "b", fail))
	require.Error(t, apis.Run(ctx, "b", fail), "opens: no second attempt")
	synctest.Wait()
	rejected(t, apis.Run(ctx, "b", succeed), breaker.ErrOpen)
	require.Equal(t, []string{
		"span apis b: 1, 0s, <nil>", "span apis b: 2, 10ms, upstream is down", "span apis b: 1, 0s, <nil>",
		"span apis b: breaker", "span apis b: breaker",
	}, tr.told())
	time.Sleep(time.Minute)
	require.NoError(t, apis.Run(ctx, "b", succeed), "as a probe")
	ticket, err := users.Admit(ctx, "t")
	require.NoError(t, err)
	ticket.Done(nil)
	ticket, err = engine.Chain(users.Key("t2"), apis.Key("t")).Admit(ctx)
	require.NoError(t, err)
	ticket.Done(nil)
	require.Equal(t, []string{
		"span apis b: 1, 0s, <nil>", "span users t: 1, 0s, <nil>", "span users t2: 1, 0s, <nil>", "span apis t: 1, 0s, <nil>",
	}, tr.told())
}

// A hook that panics is as a function that does: the panic is the caller's, and nothing is lost.
func TestAHookThatPanics(t *testing.T) {
	cfg := engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Second},
		Trace:   &engine.Trace{Attempt: func(context.Context, string, engine.Attempt) { panic("hook") }},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		for i, call := range []func(){
			func() { _ = eng.Run(t.Context(), "k", succeed) },
			func() { _, _ = eng.Admit(t.Context(), "k") },
			func() { _ = eng.Run(t.Context(), "k", succeed) },
		} {
			require.PanicsWithValue(t, "hook", call)
			synctest.Wait()
			require.Equal(t, breaker.Open, inspect(t, eng, "k").Breaker)
			require.Equal(t, engine.Stats{Keys: 1, Actors: eng.Stats().Actors, OpenKeys: 1, Admitted: uint64(i + 1), Failures: uint64(i + 1)}, eng.Stats())
			time.Sleep(time.Second)
		}
	})
}

func TestLatencyMeasuresWaitsAndAttempts(t *testing.T) {
	cfg := engine.Config{
		Latency: true, Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.PerSecond(1)},
		Retry: &retry.Policy{MaxAttempts: 2, BaseDelay: time.Millisecond, Jitter: retry.NoJitter},
	}
	eachDispatch(t, cfg, func(t *testing.T, eng *engine.Engine) {
		require.Zero(t, eng.Latency())
		takes := func(d time.Duration, err error) func(context.Context) error {
			return func(context.Context) error { time.Sleep(d); return err }
		}
		require.Error(t, eng.Run(t.Context(), "k", takes(100*time.Millisecond, errDown))) // and again, after 900 ms
		ticket, err := eng.Admit(t.Context(), "other")
		require.NoError(t, err)
		time.Sleep(3 * time.Second)
		ticket.Done(nil)
		require.Panics(t, func() {
			_ = eng.Run(t.Context(), "other", func(context.Context) error { time.Sleep(time.Hour); panic("fn") })
		})
		l := eng.Latency()
		waiting := engine.Histogram{Count: 4, Sum: 899 * time.Millisecond}
		waiting.Buckets[0], waiting.Buckets[21] = 3, 1
		require.Equal(t, waiting, l.Waiting)
		attempts := engine.Histogram{Count: 4, Sum: time.Hour + 3200*time.Millisecond}
		attempts.Buckets[18], attempts.Buckets[23], attempts.Buckets[31] = 2, 1, 1
		require.Equal(t, attempts, l.Attempts)
		require.Equal(t, []float64{0.125, 0.125, 4, 1024, 0}, []float64{
			l.Attempts.Quantile(0), l.Attempts.Quantile(0.5), l.Attempts.Quantile(0.75), l.Attempts.Quantile(1), engine.Histogram{}.Quantile(0.5),
		})

		off := eng.Config()
		off.Latency = false
		require.NoError(t, eng.Reconfigure(off))
		require.NoError(t, eng.Run(t.Context(), "more", succeed))
		require.Equal(t, l, eng.Latency(), "what was measured stays")
	})
}

// Each duration is in the first bucket whose bound it does not exceed.
func TestBucketsOfLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		durations := []time.Duration{0, 1, time.Second, time.Second + 1, time.Hour, 512 * time.Second, 512*time.Second + 1, 3 * time.Hour}
		for i := range 31 {
			bound := time.Duration(engine.Histogram{}.Bound(i) * 1e9)
			durations = append(durations, bound-1, bound, bound+1, bound+2)
		}
		for _, d := range durations {
			eng := start(t, engine.Config{Latency: true, Breaker: opensAfter(1)})
			require.NoError(t, eng.Run(t.Context(), "k", func(context.Context) error { time.Sleep(d); return nil }))
			h := eng.Latency().Attempts
			at := 0
			for at < 31 && float64(d) > math.Ldexp(1e9, at-21) {
				at++
			}
			require.EqualValues(t, 1, h.Buckets[at], "%d ns", d)
			require.Equal(t, math.Ldexp(1, at-21), h.Bound(at))
		}
	})
}
