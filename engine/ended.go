package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/limitpal/limitpal-go/actors"
)

// ended returns nil while ctx lives, and else the error of ctx. A ctx has ended if its Err is not nil
// or its Done is closed: a context that package context did not make may show one without the other.
func ended(ctx context.Context) error {
	if ctx.Err() != nil || closed(ctx.Done()) {
		return endOf(ctx)
	}
	return nil
}

// closed reports whether done is closed.
func closed(done <-chan struct{}) bool { return done != nil && received(done) }

func received(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// endOf returns the error of ctx, which has ended: its Err, or context.Canceled if Err is nil. If the
// cause of ctx is another error, errors.Is finds both.
func endOf(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		err = context.Canceled
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// remaining is the time left until the deadline of ctx; gone reports whether ctx has ended otherwise
// than by its deadline.
func remaining(ctx context.Context) (left time.Duration, gone bool) {
	if ended(ctx) != nil {
		return 0, !errors.Is(ctx.Err(), context.DeadlineExceeded)
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		return actors.Never, false
	}
	return time.Until(deadline), false
}
