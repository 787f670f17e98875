package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

func Example() {
	eng, err := engine.New(engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 5, RecoveryTimeout: 5 * time.Second},
		Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(100, time.Minute)},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: 500 * time.Millisecond},
		MaxWait: time.Second, // the longest wait of a call for the limiter
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := eng.Close(ctx); err != nil {
			log.Print(err)
		}
	}()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	user, err := engine.Do(ctx, eng, "users.example.com", fetchUser)
	switch refusal, refused := errors.AsType[*engine.Rejection](err); {
	case refused:
		fmt.Printf("refused: %v; try again in %v\n", err, refusal.RetryAfter())
	case err != nil:
		fmt.Println("failed:", err)
	default:
		fmt.Println("hello,", user.Name)
	}
	// Output: hello, Ada
}

// User stands for any result of the guarded call.
type User struct{ Name string }

func fetchUser(context.Context) (User, error) { return User{Name: "Ada"}, nil }

// A refusal says why and for how long.
func ExampleRejection() {
	eng, _ := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)},
		MaxWait: engine.NoWait,
	})
	defer eng.Close(context.Background())

	_ = eng.Acquire(context.Background(), "user:123")
	err := eng.Acquire(context.Background(), "user:123")
	if r, ok := errors.AsType[*engine.Rejection](err); ok {
		fmt.Println(r.Key, errors.Is(err, limiter.ErrLimited), r.RetryAfter().Round(time.Minute))
	}
	// Output: user:123 true 1h0m0s
}

func ExampleEngine_Allow() {
	eng, _ := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 2, RefillRate: limiter.Per(1, time.Hour)},
	})
	defer eng.Close(context.Background())

	for range 3 {
		fmt.Println("noisy:", eng.Allow("noisy"))
	}
	fmt.Println("quiet:", eng.Allow("quiet"))
	// Output:
	// noisy: true
	// noisy: true
	// noisy: false
	// quiet: true
}

// Two steps, for work that does not fit in a function.
func ExampleEngine_Admit() {
	ctx := context.Background()
	eng, _ := engine.New(engine.Config{Breaker: &breaker.Policy{FailureThreshold: 1}})
	defer eng.Close(ctx)

	ticket, err := eng.Admit(ctx, "stream-7")
	fmt.Println("admitted:", err == nil)
	ticket.Done(errors.New("connection reset"))

	_, err = eng.Admit(ctx, "stream-7")
	fmt.Println("open:", errors.Is(err, breaker.ErrOpen))
	// Output:
	// admitted: true
	// open: true
}

func ExampleGo() {
	ctx := context.Background()
	eng, _ := engine.New(engine.Config{Retry: &retry.Policy{MaxAttempts: 2}})
	defer eng.Close(ctx)

	results := engine.Go(ctx, eng, "user:123", fetchUser)
	// ... something else meanwhile ...
	r := <-results
	fmt.Println(r.Value.Name, r.Err)
	// Output: Ada <nil>
}

// A handle finds its key once, for a connection that calls often.
func ExampleEngine_Key() {
	ctx := context.Background()
	eng, _ := engine.New(engine.Config{
		Limiter: limiter.LeakyBucket{Capacity: 100, LeakRate: limiter.PerSecond(1e6)},
	})
	defer eng.Close(ctx)

	conn := eng.Key("conn-42")
	for range 3 {
		if err := conn.Run(ctx, func(context.Context) error { return nil }); err != nil {
			fmt.Println(err)
		}
	}
	snapshot, known := conn.Inspect()
	fmt.Println(snapshot.Key, known, snapshot.Breaker)
	// Output: conn-42 true closed
}

// New names everything that is wrong at once.
func ExampleNew_invalid() {
	_, err := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 0, RefillRate: limiter.PerSecond(-1)},
		Breaker: &breaker.Policy{RecoveryTimeout: -time.Second},
	})
	fmt.Println(err)
	// Output:
	// engine: Limiter.RefillRate = -1/s: must be positive
	// engine: Limiter.Capacity = 0: must be at least 1
	// engine: Breaker.RecoveryTimeout = -1s: must not be negative (0 is the default)
}
