package engineotel_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/engineotel"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

func ExampleRegister() {
	users, err := engine.New(engine.Config{
		Name:    "user",
		Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.PerSecond(0.001)},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer users.Close(context.Background())

	reader := metric.NewManualReader() // a program has a periodic reader with an exporter
	shown, err := engineotel.Register(metric.NewMeterProvider(metric.WithReader(reader)), users)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = shown.Unregister() }()

	for range 5 {
		users.Allow("alice")
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		log.Fatal(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		if m.Name == "limitpal.decisions" {
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				if p.Value > 0 {
					fmt.Println(m.Name, p.Attributes.Encoded(attribute.DefaultEncoder()), p.Value)
				}
			}
		}
	}
	// Unordered output:
	// limitpal.decisions limitpal.engine=user,limitpal.result=admitted 2
	// limitpal.decisions limitpal.engine=user,limitpal.result=limited 3
}

func ExampleTrace() {
	apis, err := engine.New(engine.Config{
		Name:    "api",
		Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.PerSecond(0.001)},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: time.Millisecond},
		MaxWait: engine.NoWait,
		Trace:   engineotel.Trace(),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer apis.Close(context.Background())

	recorder := tracetest.NewSpanRecorder() // a program has an exporter
	tracer := trace.NewTracerProvider(trace.WithSpanProcessor(recorder)).Tracer("example")

	ctx, span := tracer.Start(context.Background(), "charge")
	_ = apis.Run(ctx, "payments", func(context.Context) error { return errors.New("connection refused") })
	span.End()

	for _, event := range recorder.Ended()[0].Events() {
		fmt.Println(event.Name)
		for _, a := range event.Attributes {
			switch a.Key {
			case "limitpal.attempt", "limitpal.reason", "error.message":
				fmt.Println("   ", a.Key, a.Value.String())
			}
		}
	}
	// Output:
	// limitpal.retry
	//     limitpal.attempt 2
	//     error.message connection refused
	// limitpal.rejected
	//     limitpal.reason limiter: limited
}
