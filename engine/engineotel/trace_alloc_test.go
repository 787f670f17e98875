//go:build !race

package engineotel_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/engineotel"
)

// TestASpanThatDoesNotRecordCostsNoAllocation, and neither does a context without a span. (The race
// detector allocates too.)
func TestASpanThatDoesNotRecordCostsNoAllocation(t *testing.T) {
	refusal := &engine.Rejection{Engine: "api", Key: "k", Stage: engine.BreakerStage, Err: breaker.ErrOpen}
	tracer := func(s trace.Sampler) context.Context {
		ctx, span := trace.NewTracerProvider(trace.WithSampler(s)).Tracer("test").Start(context.Background(), "call")
		t.Cleanup(func() { span.End() })
		return ctx
	}
	hooks := engineotel.Trace(engineotel.WithKey(func(key string) string { return key + "!" }))
	allocs := func(ctx context.Context) float64 {
		return testing.AllocsPerRun(100, func() {
			hooks.Attempt(ctx, "k", engine.Attempt{Number: 1})
			hooks.Attempt(ctx, "k", engine.Attempt{Number: 2, Waited: 1, Last: errDown})
			hooks.Rejected(ctx, refusal)
		})
	}
	require.Zero(t, allocs(context.Background()))
	require.Zero(t, allocs(tracer(trace.NeverSample())))
	require.NotZero(t, allocs(tracer(trace.AlwaysSample())), "the test would not see an allocation")
}
