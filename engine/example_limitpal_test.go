package engine_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// The program of docs/limitpal.md, which shows this function's body.
func ExampleNew_limitPal() {
	eng, err := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(100, time.Minute)},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: time.Millisecond},
		Breaker: &breaker.Policy{FailureThreshold: 3, RecoveryTimeout: 5 * time.Second},
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	defer eng.Close(ctx)

	for _, user := range []string{"user:1", "user:1", "user:2"} {
		page, err := engine.Do(ctx, eng, user, func(context.Context) (string, error) {
			if user == "user:1" {
				return "", errors.New("shard down")
			}
			return "page of " + user, nil
		})
		if exhausted, ok := errors.AsType[*retry.ExhaustedError](err); ok {
			fmt.Println(user, "failed", exhausted.Attempts, "times:", exhausted.Err)
		} else if errors.Is(err, breaker.ErrOpen) {
			fmt.Println(user, "not called: breaker open")
		} else {
			fmt.Println(user, "got the", page)
		}
	}
	// Output:
	// user:1 failed 3 times: shard down
	// user:1 not called: breaker open
	// user:2 got the page of user:2
}
