package retry_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/limitpal/limitpal-go/retry"
)

func Example() {
	policy := retry.Policy{MaxAttempts: 3, BaseDelay: time.Millisecond}
	attempt := 0
	user, err := retry.Do(context.Background(), policy, func(context.Context) (string, error) {
		attempt++
		if attempt < 3 {
			return "", errors.New("connection reset")
		}
		return "Ada", nil
	})
	fmt.Println(user, err, "after", attempt, "attempts")
	// Output: Ada <nil> after 3 attempts
}

func ExampleDo() {
	policy := retry.Policy{MaxAttempts: 2, BaseDelay: time.Millisecond}
	_, err := retry.Do(context.Background(), policy, func(context.Context) (int, error) {
		return 0, errors.New("connection reset")
	})
	fmt.Println(err)
	if gaveUp, ok := errors.AsType[*retry.ExhaustedError](err); ok {
		fmt.Println("last error:", gaveUp.Err)
	}
	// Output:
	// retry: gave up after 2 attempts: connection reset
	// last error: connection reset
}

func ExamplePermanent() {
	errNotFound := errors.New("no such user")
	attempts := 0
	_, err := retry.Do(context.Background(), retry.Policy{}, func(context.Context) (int, error) {
		attempts++
		return 0, retry.Permanent(errNotFound)
	})
	fmt.Println(err == errNotFound, attempts)
	// Output: true 1
}

func ExampleAfter() {
	policy := retry.Policy{BaseDelay: time.Second, MaxDelay: time.Minute, Jitter: retry.NoJitter}
	schedule := policy.Schedule(0)
	busy := retry.After(errors.New("503 Service Unavailable"), 30*time.Second)

	delay, _, ok := schedule.Next(busy, 0, math.MaxInt64)
	fmt.Println("without a deadline: wait", delay, ok)

	_, err, ok := schedule.Next(busy, 30*time.Second, 20*time.Second)
	fmt.Println("20 s before the deadline:", err, ok)
	// Output:
	// without a deadline: wait 30s true
	// 20 s before the deadline: retry: gave up after 2 attempts: 503 Service Unavailable false
}

func ExamplePolicy_Schedule() {
	policy := retry.Policy{
		MaxAttempts: 6,
		BaseDelay:   500 * time.Millisecond,
		MaxDelay:    4 * time.Second,
		Jitter:      retry.NoJitter,
	}
	schedule := policy.Schedule(0)
	elapsed := time.Duration(0)
	for {
		delay, final, ok := schedule.Next(errors.New("timeout"), elapsed, math.MaxInt64)
		if !ok {
			fmt.Println(final)
			return
		}
		elapsed += delay
		fmt.Println("wait", delay)
	}
	// Output:
	// wait 500ms
	// wait 1s
	// wait 2s
	// wait 4s
	// wait 4s
	// retry: gave up after 6 attempts: timeout
}

func ExamplePolicy_Validate() {
	policy := retry.Policy{BaseDelay: time.Second, MaxDelay: time.Millisecond, Backoff: 0.5}
	fmt.Println(policy.Validate())
	// Output:
	// retry: Policy.MaxDelay = 1ms: must be at least BaseDelay (1s)
	// retry: Policy.Backoff = 0.5: must be at least 1
}
