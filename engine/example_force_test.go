package engine_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// An upstream is taken down for maintenance, and comes back early.
func ExampleEngine_Force() {
	apis, err := engine.New(engine.Config{Name: "apis"})
	if err != nil {
		panic(err)
	}
	defer apis.Close(context.Background())
	pay := func() error {
		return apis.Run(context.Background(), "payments", func(context.Context) error { return nil })
	}

	if err := apis.Force("payments", breaker.Open, 10*time.Minute); err != nil {
		panic(err)
	}
	r, _ := errors.AsType[*engine.Rejection](pay())
	fmt.Println(r.Stage, "refuses:", r.Err, "- again in", r.RetryAfter().Round(time.Minute))
	s, _ := apis.Inspect("payments")
	fmt.Println("forced:", s.Forced, s.Breaker)

	if err := apis.Force("payments", breaker.Open, 0); err != nil {
		panic(err)
	}
	fmt.Println("after the end:", pay())
	// Output:
	// breaker refuses: breaker: open - again in 10m0s
	// forced: true open
	// after the end: <nil>
}
