package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

func ExampleLogEvents() {
	eng, err := engine.New(engine.Config{Name: "apis", Breaker: &breaker.Policy{FailureThreshold: 3}})
	if err != nil {
		panic(err)
	}
	withoutTimes := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindTime {
			return slog.Attr{}
		}
		return a
	}}
	logged := make(chan struct{})
	go func() {
		engine.LogEvents(context.Background(), slog.New(slog.NewTextHandler(os.Stdout, withoutTimes)), eng)
		close(logged)
	}()

	for range 3 {
		_ = eng.Run(context.Background(), "payments", func(context.Context) error { return errors.New("connection refused") })
	}
	eng.Reset("payments")
	_ = eng.Close(context.Background())
	<-logged
	// Output:
	// level=WARN msg=tripped engine=apis key=payments from=closed to=open reason="3 failures in a row, the last: connection refused"
	// level=INFO msg=recovered engine=apis key=payments from=open to=closed reason="the key was reset"
}

func ExampleEngine_Events() {
	apis, err := engine.New(engine.Config{Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Minute}})
	if err != nil {
		panic(err)
	}
	page := func(key string, reason error, until time.Time) {
		fmt.Printf("%s: %v; next probe in %v\n", key, reason, time.Until(until).Round(time.Minute))
	}
	ctx, stop := context.WithCancel(context.Background())
	events, paged := apis.Events(ctx), make(chan struct{})
	go func() {
		defer close(paged)
		for e := range events {
			if e.Kind == engine.Tripped {
				page(e.Key, e.Reason, e.Until)
			}
		}
	}()

	_ = apis.Run(ctx, "payments", func(context.Context) error { return errors.New("connection refused") })
	_ = apis.Close(ctx) // ends the events, after the last
	<-paged
	stop()
	// Output:
	// payments: a failure: connection refused; next probe in 1m0s
}

func ExampleKey_Explain() {
	users, _ := engine.New(engine.Config{Name: "users", Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}})
	apis, _ := engine.New(engine.Config{Name: "apis", Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Minute}})
	defer users.Close(context.Background())
	defer apis.Close(context.Background())
	k := engine.Chain(users.Key("123"), apis.Key("payments"))
	_ = k.Run(context.Background(), func(context.Context) error { return errors.New("connection refused") })

	x := k.Explain()
	fmt.Println("passes:", x.Passes, " again in", x.RetryAfter.Round(time.Minute))
	for _, key := range x.Keys {
		fmt.Println(key.Engine, key.Key, key.Stage, key.RetryAfter.Round(time.Minute))
	}
	// Output:
	// passes: false  again in 1h0m0s
	// users 123 limiter 1h0m0s
	// apis payments breaker 1m0s
}

func ExampleEngine_MostRefused() {
	eng, _ := engine.New(engine.Config{Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Hour)}})
	defer eng.Close(context.Background())
	for i := range 100 {
		eng.Allow("scraper")
		eng.Allow(fmt.Sprint("user", i%30))
	}
	for _, k := range eng.MostRefused(3) {
		fmt.Println(k.Key, k.Refused)
	}
	// Output:
	// scraper 98
	// user0 2
	// user1 2
}

func ExampleEngine_Latency() {
	eng, _ := engine.New(engine.Config{Latency: true})
	defer eng.Close(context.Background())
	for range 10 {
		_ = eng.Run(context.Background(), "k", func(context.Context) error { return nil })
	}
	l := eng.Latency()
	fmt.Println(l.Attempts.Count, "attempts; half of them took less than a second:", l.Attempts.Quantile(0.5) < 1)
	// Output:
	// 10 attempts; half of them took less than a second: true
}
