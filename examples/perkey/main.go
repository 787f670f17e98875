// Perkey limits every key apart: a noisy client uses up its own tokens and no other.
//
//	go run ./examples/perkey
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	eng, err := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 10, RefillRate: limiter.Per(10, time.Minute)},
		MaxWait: engine.NoWait,
	})
	if err != nil {
		return err
	}
	defer eng.Close(ctx)

	allowed := 0
	for range 1000 {
		if eng.Allow("noisy") {
			allowed++
		}
	}
	fmt.Fprintf(out, "noisy asked 1000 times: %d allowed\n", allowed)
	fmt.Fprintf(out, "quiet asks once: %v\n", eng.Allow("quiet"))

	// A batch of n takes n tokens or none.
	fmt.Fprintf(out, "quiet sends a batch of 20: %v\n", eng.AllowN("quiet", 20))
	fmt.Fprintf(out, "quiet sends a batch of 6: %v\n", eng.AllowN("quiet", 6))

	for _, key := range []string{"noisy", "quiet", "never seen"} {
		if s, known := eng.Inspect(key); known {
			fmt.Fprintf(out, "%s has %.0f tokens left\n", key, s.Limits[0].Available)
		} else {
			fmt.Fprintf(out, "%s is not known: looking does not create a key\n", key)
		}
	}

	// Run and Do give the time to come back, for a Retry-After header.
	err = eng.Run(ctx, "noisy", func(context.Context) error { return nil })
	if rejection, ok := errors.AsType[*engine.Rejection](err); ok {
		fmt.Fprintf(out, "noisy again: %v, come back in %v\n", rejection.Err, rejection.RetryAfter().Round(time.Second))
	}
	return nil
}
