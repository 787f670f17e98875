// Shutdown closes an engine while calls are at every stage, and shows the error of each call.
//
//	go run ./examples/shutdown
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
	"github.com/limitpal/limitpal-go/retry"
)

var errDown = errors.New("the mail server is down")

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	eng, err := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Minute)},
		Retry:   &retry.Policy{BaseDelay: time.Minute, Jitter: retry.NoJitter},
	})
	if err != nil {
		return err
	}

	// Three workers, each at another stage when the engine closes.
	inFlight := engine.Go(ctx, eng, "invoices", func(context.Context) (string, error) {
		time.Sleep(300 * time.Millisecond)
		return "sent", nil
	})
	backingOff := engine.Go(ctx, eng, "mails", func(context.Context) (string, error) { return "", errDown })
	eng.Allow("reports") // takes the only token, so that the next call has to wait for a minute
	waiting := engine.Go(ctx, eng, "reports", func(context.Context) (string, error) { return "sent", nil })
	time.Sleep(100 * time.Millisecond)

	// Close refuses every waiting call at once, and gives running calls until the deadline.
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	fmt.Fprintln(out, "Close within 100ms:", eng.Close(short))
	show(out, "waiting for a token", <-waiting)
	show(out, "backing off", <-backingOff)
	show(out, "new since then", <-engine.Go(ctx, eng, "invoices", func(context.Context) (string, error) { return "sent", nil }))

	// Nothing is lost by a deadline that was too short: the call goes on, and Close may be called
	// again.
	fmt.Fprintln(out, "Close once more:", eng.Close(ctx))
	show(out, "in flight", <-inFlight)
	return nil
}

func show(out io.Writer, stage string, r engine.Result[string]) {
	if r.Err != nil {
		fmt.Fprintf(out, "  %s: %v\n", stage, r.Err)
		return
	}
	fmt.Fprintf(out, "  %s: %s\n", stage, r.Value)
}
