package engineotel_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/engineotel"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// eventsOf runs call in a span, and returns the span's events as text.
func eventsOf(t *testing.T, call func(ctx context.Context)) (events []string) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	ctx, span := provider.Tracer("test").Start(t.Context(), "call")
	call(ctx)
	span.End()
	ended := recorder.Ended()
	require.Len(t, ended, 1, "the package begins no span")
	for _, e := range ended[0].Events() {
		set := attribute.NewSet(e.Attributes...)
		events = append(events, e.Name+" "+set.Encoded(attribute.DefaultEncoder()))
	}
	return events
}

func TestEventsOfCalls(t *testing.T) {
	cfg := engine.Config{
		Name:    "api",
		Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, time.Minute)},
		Breaker: &breaker.Policy{FailureThreshold: 3, RecoveryTimeout: 30 * time.Second},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: time.Second, Jitter: retry.NoJitter},
		MaxWait: engine.NoWait, Trace: engineotel.Trace(),
	}
	for _, row := range []struct {
		name string
		call func(ctx context.Context, eng *engine.Engine)
		want []string
	}{
		{"one attempt", func(ctx context.Context, eng *engine.Engine) { _ = eng.Run(ctx, "k", succeed) }, nil},
		{"two attempts", func(ctx context.Context, eng *engine.Engine) {
			calls := 0
			_ = eng.Run(ctx, "k", func(context.Context) error {
				calls++
				if calls == 1 {
					return errDown
				}
				return nil
			})
		}, []string{"limitpal.retry error.message=down,limitpal.attempt=2,limitpal.waited=1"}},
		{"the breaker opens", func(ctx context.Context, eng *engine.Engine) {
			_ = eng.Run(ctx, "k", fail)
			_ = eng.Run(ctx, "k", fail)
		}, []string{
			"limitpal.retry error.message=down,limitpal.attempt=2,limitpal.waited=1",
			"limitpal.retry error.message=down,limitpal.attempt=3,limitpal.waited=2",
			`limitpal.rejected limitpal.engine=api,limitpal.reason=breaker: open,limitpal.retry_after=57,limitpal.stage=breaker`,
		}},
		{"the bucket is empty", func(ctx context.Context, eng *engine.Engine) {
			for range 4 {
				_ = eng.Run(ctx, "k", succeed)
			}
		}, []string{"limitpal.rejected limitpal.engine=api,limitpal.reason=limiter: limited,limitpal.retry_after=60,limitpal.stage=limiter"}},
		{"the engine is closed", func(ctx context.Context, eng *engine.Engine) {
			_ = eng.Close(ctx)
			_ = eng.Run(ctx, "k", succeed)
		}, []string{"limitpal.rejected limitpal.engine=api,limitpal.reason=engine: closed,limitpal.stage="}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				eng := start(t, cfg)
				require.Equal(t, row.want, eventsOf(t, func(ctx context.Context) { row.call(ctx, eng) }))
			})
		})
	}
}

func TestNoEventHasAKeyUnlessAskedFor(t *testing.T) {
	const key = "alice@example.org"
	refusal := &engine.Rejection{Engine: "api", Key: key, Stage: engine.BreakerStage, Err: breaker.ErrOpen}
	panicked := &engine.Rejection{Engine: "api", Key: key, Err: fmt.Errorf("a turn of the actor of %q panicked", key)}
	misuse := &engine.ConfigError{Field: "LimiterFor(" + key + ").Capacity", Value: 0, Reason: "must be at least 1"}
	for _, row := range []struct {
		name string
		last error
		want string
	}{
		{"an error", errDown, "down"},
		{"a refusal", refusal, "breaker: open"},
		{"a wrapped refusal", fmt.Errorf("fetch: %w", refusal), "breaker: open"},
		{"a refusal among others", errors.Join(errDown, refusal), "breaker: open"},
		{"the end of retries", &engine.StoppedError{Reason: refusal, Last: errDown}, "breaker: open"},
		{"a panic", panicked, "engine: a turn panicked"},
		{"a mistake", fmt.Errorf("nested: %w", misuse), "engine: must be at least 1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, shown := range []bool{false, true} {
				hooks, prefix := engineotel.Trace(), ""
				if shown {
					hooks = engineotel.Trace(engineotel.WithKey(func(k string) string { require.Equal(t, key, k); return "a***" }))
					prefix = "limitpal.key=a***,"
				}
				events := eventsOf(t, func(ctx context.Context) {
					hooks.Attempt(ctx, key, engine.Attempt{Number: 2, Last: row.last})
					hooks.Rejected(ctx, refusal)
					hooks.Rejected(ctx, panicked)
				})
				require.Equal(t, []string{
					"limitpal.retry error.message=" + row.want + ",limitpal.attempt=2," + prefix + "limitpal.waited=0",
					"limitpal.rejected limitpal.engine=api," + prefix + "limitpal.reason=breaker: open,limitpal.stage=breaker",
					"limitpal.rejected limitpal.engine=api," + prefix + "limitpal.reason=engine: a turn panicked,limitpal.stage=",
				}, events)
			}
		})
	}
}

// TestAttemptsWithoutAnErrorBefore have no message. No engine makes such an attempt today.
func TestAttemptsWithoutAnErrorBefore(t *testing.T) {
	require.Equal(t, []string{"limitpal.retry limitpal.attempt=2,limitpal.waited=0.25"}, eventsOf(t, func(ctx context.Context) {
		engineotel.Trace().Attempt(ctx, "k", engine.Attempt{Number: 2, Waited: 250 * time.Millisecond})
	}))
}
