package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/retry"
)

// status is an error that stands for an HTTP answer.
type status int

func (s status) Error() string { return http.StatusText(int(s)) }

// An answer such as 404 says nothing against the server. With Classify such an answer does not open
// the breaker.
func ExampleConfig_classify() {
	ctx := context.Background()
	eng, _ := engine.New(engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 3},
		Classify: func(err error) engine.Outcome {
			if s, ok := errors.AsType[status](err); ok && s < 500 {
				return engine.Ignore
			}
			return engine.Failure
		},
	})
	defer eng.Close(ctx)

	for _, answer := range []status{404, 503} {
		for range 10 {
			_ = eng.Run(ctx, "api", func(context.Context) error { return answer })
		}
		snapshot, _ := eng.Inspect("api")
		fmt.Printf("after ten times %d: %v\n", answer, snapshot.Breaker)
	}
	// Output:
	// after ten times 404: closed
	// after ten times 503: open
}

// A function that knows more than its error tells returns a *Verdict: here a 429 is no failure of
// the server, and the next attempt waits for the time that the answer names. Callers get Err.
func ExampleVerdict() {
	ctx := context.Background()
	eng, _ := engine.New(engine.Config{
		Breaker: &breaker.Policy{FailureThreshold: 1},
		Retry:   &retry.Policy{MaxAttempts: 3, BaseDelay: time.Millisecond},
	})
	defer eng.Close(ctx)

	answers := []status{429, 404}
	err := eng.Run(ctx, "api", func(context.Context) error {
		answer := answers[0]
		answers = answers[1:]
		fmt.Println("attempt:", answer)
		if answer == http.StatusTooManyRequests {
			return &engine.Verdict{Err: answer, Outcome: engine.Ignore, After: 10 * time.Millisecond}
		}
		return &engine.Verdict{Err: answer, Outcome: engine.Ignore, Final: true}
	})
	snapshot, _ := eng.Inspect("api")
	fmt.Println(err, errors.Is(err, status(404)), snapshot.Breaker)
	// Output:
	// attempt: Too Many Requests
	// attempt: Not Found
	// Not Found true closed
}
