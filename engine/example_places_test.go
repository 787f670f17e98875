package engine_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// At most one report at a time for each tenant; another one waits for a minute at most, and two may wait.
func ExampleConfig_concurrency() {
	reports, err := engine.New(engine.Config{Concurrency: limiter.InFlight{Max: 1}, MaxWait: time.Minute, MaxQueue: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = reports.Close(context.Background()) }()

	tenant := reports.Key("tenant-7")
	err = tenant.Run(context.Background(), func(ctx context.Context) error {
		state, _ := reports.Inspect("tenant-7")
		fmt.Println(state.InFlight, "in flight")
		return tenant.NoWait().Run(ctx, func(context.Context) error { return nil }) // one more meanwhile
	})
	fmt.Println(err)
	// Output:
	// 1 in flight
	// engine: key "tenant-7": limiter: too many calls in flight
}
