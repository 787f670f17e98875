// Pacing hands six background jobs over at once. Five start at an even pace, and the sixth is
// refused.
//
//	go run ./examples/pacing
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
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
		// A job every 100 ms. There are five places: for the job that has just started, and for
		// four that wait.
		Limiter: limiter.LeakyBucket{Capacity: 5, LeakRate: limiter.Per(10, time.Second)},
	})
	if err != nil {
		return err
	}
	defer eng.Close(ctx)

	begin := time.Now()
	job := func(context.Context) (time.Duration, error) { return time.Since(begin), nil } // the time of the start
	results := make([]<-chan engine.Result[time.Duration], 6)
	for i := range results {
		// Go returns at once. Each job has a goroutine of its own, so the order of the starts is
		// open.
		results[i] = engine.Go(ctx, eng, "thumbnails", job)
	}

	var starts []time.Duration
	for _, result := range results {
		r := <-result
		switch {
		case r.Err == nil:
			starts = append(starts, r.Value)
		case errors.Is(r.Err, limiter.ErrLimited):
			fmt.Fprintln(out, "one job found no place:", limiter.ErrLimited)
		default:
			return r.Err
		}
	}
	slices.Sort(starts)
	for i, at := range starts {
		fmt.Fprintf(out, "job %d started after %v\n", i+1, at.Round(10*time.Millisecond))
	}
	return nil
}
