package engine_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// Each key has a bucket and a breaker of its own: the tenant whose calls fail is refused, and the
// other tenant is not.
func ExampleEngine_Run_perKey() {
	ctx := context.Background()
	eng, _ := engine.New(engine.Config{Breaker: &breaker.Policy{FailureThreshold: 5}})
	defer eng.Close(ctx)

	down := errors.New("shard down")
	for range 5 {
		_ = eng.Run(ctx, "tenant-1", func(context.Context) error { return down })
	}
	for _, tenant := range []string{"tenant-1", "tenant-2"} {
		err := eng.Run(ctx, tenant, func(context.Context) error { return nil })
		fmt.Println(tenant, "refused:", errors.Is(err, breaker.ErrOpen))
	}
	// Output:
	// tenant-1 refused: true
	// tenant-2 refused: false
}

// MaxWait bounds the stay in the limiter's queue. A call that gets its token within MaxWait waits;
// any other call is refused at once. With NoWait no call waits.
func ExampleConfig_maxWait() {
	ctx := context.Background()
	for _, per := range []time.Duration{10 * time.Millisecond, time.Hour} {
		eng, _ := engine.New(engine.Config{
			Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, per)},
			MaxWait: time.Second,
		})
		_ = eng.Acquire(ctx, "user:123") // takes the token, so that the next comes after per
		err := eng.Acquire(ctx, "user:123")
		if refusal, refused := errors.AsType[*engine.Rejection](err); refused {
			fmt.Printf("one every %v: refused, again in %v\n", per, refusal.RetryAfter().Round(time.Minute))
		} else {
			fmt.Printf("one every %v: %v\n", per, err)
		}
		_ = eng.Close(ctx)
	}
	// Output:
	// one every 10ms: <nil>
	// one every 1h0m0s: refused, again in 1h0m0s
}

// Stats counts every decision and every end of an attempt.
func ExampleEngine_Stats() {
	eng, err := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 3, RefillRate: limiter.Per(1, time.Hour)},
		MaxWait: engine.NoWait,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer eng.Close(context.Background())

	errDown := errors.New("upstream is down")
	for i := range 5 {
		_ = eng.Run(context.Background(), "tenant-7", func(context.Context) error {
			if i == 1 {
				return errDown
			}
			return nil
		})
	}
	s := eng.Stats()
	fmt.Println("admitted", s.Admitted, "limited", s.Limited)
	fmt.Println("successes", s.Successes, "failures", s.Failures)
	// Output:
	// admitted 3 limited 2
	// successes 2 failures 1
}
