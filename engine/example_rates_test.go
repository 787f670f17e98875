package engine_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// Four of five calls to an upstream fail, and every fifth succeeds: there are never five failures in a row. A breaker by rate opens
// as soon as enough calls are in its window.
func Example_failureRate() {
	for _, policy := range []breaker.Policy{
		{FailureThreshold: 5},
		{FailureRate: 0.5, MinCalls: 20},
	} {
		e, err := engine.New(engine.Config{Breaker: &policy})
		if err != nil {
			fmt.Println(err)
			return
		}
		n := 0
		upstream := func(context.Context) error {
			if n++; n%5 == 0 {
				return nil
			}
			return errors.New("shard 3 is read-only")
		}
		for range 1000 {
			_ = e.Run(context.Background(), "orders", upstream)
		}
		fmt.Println("calls that reached the upstream:", n)
		_ = e.Close(context.Background())
		for event := range e.EventsSince(context.Background(), 0) { // ends, because e is closed
			fmt.Println(event.Reason)
		}
	}
	// Output:
	// calls that reached the upstream: 1000
	// calls that reached the upstream: 21
	// 17 of 21 calls failed, the last: shard 3 is read-only
}
