package retry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Do calls fn until it succeeds or p says that another attempt is not worth it.
// It runs fn on the caller's goroutine, one attempt at a time, and starts no
// goroutine of its own. Between attempts it sleeps on the system clock, which
// inside a testing/synctest bubble is the bubble's. Any goroutine may call it.
//
// The function gets ctx itself and must honour it: Do cannot interrupt an
// attempt that is running. A panic of fn passes through untouched.
//
// Do returns the value of the last attempt, also beside an error, and the zero
// value if fn was never called. Values of earlier attempts are dropped: an fn
// that returns a resource beside an error must release it. The error is
//
//   - nil if an attempt succeeded;
//   - what [Policy.Validate] says of p, or else ctx.Err() if ctx has already
//     ended; then fn is not called;
//   - the error of fn itself, without the wrappers of [Permanent] and [After], if
//     it is permanent, if [Policy.RetryIf] declines it, or if ctx was cancelled
//     while fn ran;
//   - an [*ExhaustedError] around the last error if the attempts, MaxElapsed or
//     the deadline of ctx are used up; it never sleeps first;
//   - if ctx ends while Do waits, an error for which errors.Is finds both
//     ctx.Err() and the last error of fn.
//
// An error such as [context.DeadlineExceeded] from fn is an ordinary failure as
// long as ctx itself lives. With a [Policy.Seed] every Do waits alike, since Do
// has no count of calls: each uses the schedule of call 0.
func Do[T any](ctx context.Context, p Policy, fn func(context.Context) (T, error)) (T, error) {
	var value T
	err := p.Validate()
	if err != nil {
		return value, err
	}
	if err = ctx.Err(); err != nil {
		return value, err
	}
	s := p.Schedule(0)
	began := time.Now()
	for {
		value, err = fn(ctx)
		if err == nil {
			return value, nil
		}
		left, cancelled := remaining(ctx)
		if cancelled {
			return value, Strip(err)
		}
		delay, final, ok := s.Next(err, time.Since(began), left)
		if !ok {
			return value, final
		}
		if ended := sleep(ctx, delay); ended != nil {
			return value, fmt.Errorf("retry: %w while waiting after attempt %d: %w", ended, s.attempts, Strip(err))
		}
	}
}

// remaining is the time left until the deadline of ctx: 0 once it has passed,
// unlimited if there is none. A caller who has left by cancelling has no time
// that could be measured, which is why that is told apart.
func remaining(ctx context.Context) (left time.Duration, cancelled bool) {
	if err := ctx.Err(); err != nil {
		return 0, errors.Is(err, context.Canceled)
	}
	if deadline, ok := ctx.Deadline(); ok {
		return max(time.Until(deadline), 0), false
	}
	return unlimited, false
}

// sleep waits for d. It returns the error of ctx if that has ended by then, even
// if both happen at once: there is no attempt for a caller who has left.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return ctx.Err()
}
