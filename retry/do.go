package retry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Do calls fn until fn succeeds or p ends the retries. Do runs fn on the caller's goroutine, one
// attempt at a time, and starts no goroutine. Between attempts Do sleeps on the system clock, or on
// the clock of a testing/synctest bubble inside a bubble. Any goroutine may call Do.
//
// fn receives ctx itself and must honour ctx: Do cannot interrupt a running attempt. A panic of fn
// passes through untouched.
//
// No attempt begins after ctx has ended. ctx has ended if ctx.Err is not nil or ctx.Done is closed;
// a context that package context has not made may show only one of the two, and may have an Err
// that is neither [context.Canceled] nor [context.DeadlineExceeded].
//
// Do returns the value of the last attempt, also beside an error, and the zero value if fn was
// never called. Do drops the values of earlier attempts: if fn returns a resource beside an error,
// fn must release the resource. The error is
//
//   - nil if an attempt succeeded, also if ctx ended during that attempt;
//   - the error of [Policy.Validate] if p is invalid, or else the reason of ctx if ctx ended before
//     the first attempt; fn is not called then;
//   - the error of fn itself, without the outermost wrappers of [Permanent] and [After], if that
//     error is permanent, if [Policy.RetryIf] declines that error, or if ctx ended during the
//     attempt for any reason but a deadline;
//   - an [*ExhaustedError] around the last error if the attempts, MaxElapsed or the deadline of ctx
//     are used up; Do never sleeps first. If the deadline has passed, errors.Is also finds the
//     reason of ctx;
//   - an error that joins the reason of ctx and the last error of fn if ctx ends while Do sleeps.
//
// The reason of ctx is an error for which errors.Is finds ctx.Err() and context.Cause(ctx). The
// reason is ctx.Err() itself if ctx has no other cause, and context.Canceled if ctx.Done is closed
// while ctx.Err is nil.
//
// While ctx lives, an error of fn such as [context.DeadlineExceeded] is an ordinary failure. With a
// [Policy.Seed] all calls of Do wait alike, because each uses the schedule of call 0.
func Do[T any](ctx context.Context, p Policy, fn func(context.Context) (T, error)) (T, error) {
	var value T
	err := p.Validate()
	if err != nil {
		return value, err
	}
	if err = ended(ctx); err != nil {
		return value, err
	}
	s := p.Schedule(0)
	began := time.Now()
	for {
		value, err = fn(ctx)
		if err == nil {
			return value, nil
		}
		if final := s.pause(ctx, began, err); final != nil {
			return value, final
		}
	}
}

// pause waits until another attempt may begin after one failed with err. An error ends the retries:
// pause returns the error of the call. The first attempt began at began.
func (s *Schedule) pause(ctx context.Context, began time.Time, err error) error {
	if _, left := remaining(ctx); left {
		return Strip(err)
	}
	delay, worth, plain := s.judge(err)
	if !worth {
		return plain
	}
	// The user's RetryIf and Delay may have taken a while: the time is measured here, not before.
	rest, left := remaining(ctx)
	if left {
		return plain
	}
	if delay < 0 || !s.affords(delay, time.Since(began), rest) {
		return s.exhausted(ctx, plain)
	}
	if reason := sleep(ctx, delay); reason != nil {
		return fmt.Errorf("retry: %w while waiting after attempt %d: %w", reason, s.attempts, plain)
	}
	// A timer may fire late, as after a pause of the process.
	if rest, _ = remaining(ctx); !s.affords(0, time.Since(began), rest) {
		return s.exhausted(ctx, plain)
	}
	return nil
}

// exhausted returns the error of a call that has no attempt or no time left.
func (s *Schedule) exhausted(ctx context.Context, last error) error {
	return &ExhaustedError{Attempts: s.attempts, Err: last, Reason: ended(ctx)}
}

// remaining returns the time until the deadline of ctx: 0 from the deadline on, unlimited if ctx
// has no deadline. left reports whether ctx has ended for another reason than a deadline, in which
// case the time says nothing.
func remaining(ctx context.Context) (d time.Duration, left bool) {
	if ended(ctx) != nil {
		return 0, !errors.Is(ctx.Err(), context.DeadlineExceeded)
	}
	if deadline, ok := ctx.Deadline(); ok {
		return max(time.Until(deadline), 0), false
	}
	return unlimited, false
}

// sleep waits for d and returns the reason of ctx if ctx has ended by then, even if both happen at
// once: no attempt begins for a caller that has left.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		if reason := ended(ctx); reason != nil {
			return reason
		}
		return context.Canceled
	case <-timer.C:
		return ended(ctx)
	}
}

// ended returns the reason for which ctx has ended, as documented at [Do], or nil while ctx lives.
func ended(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		select {
		case <-ctx.Done():
		default:
			return nil
		}
		if err = ctx.Err(); err == nil { // or ctx ended between the two looks
			return context.Canceled
		}
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}
