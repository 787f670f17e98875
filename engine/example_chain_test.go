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

func ExampleChain() {
	users, err1 := engine.New(engine.Config{
		Name:    "user",
		Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(100, time.Minute)},
	})
	apis, err2 := engine.New(engine.Config{
		Name:    "api",
		Breaker: &breaker.Policy{FailureThreshold: 5},
		Retry:   &retry.Policy{MaxAttempts: 3},
	})
	if err := errors.Join(err1, err2); err != nil {
		log.Fatal(err)
	}
	defer users.Close(context.Background())
	defer apis.Close(context.Background())

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	user, err := engine.DoKey(ctx, engine.Chain(users.Key("123"), apis.Key("payments")), fetchUser)
	if refusal, refused := errors.AsType[*engine.Rejection](err); refused {
		fmt.Printf("refused by the %s of %q\n", refusal.Stage, refusal.Engine)
	} else {
		fmt.Println(user.Name, err)
	}
	// Output: Ada <nil>
}
