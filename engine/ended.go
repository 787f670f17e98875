package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// A context has ended if its Err is not nil, if its Done is closed, or if its deadline has passed. A
// context that package context did not make may show one of the first two without the other, and on a
// loaded machine the timer of a deadline is late. An admission without a wait looks at Err alone, which
// is cheap; a call that has to wait, or has waited, looks at all three.

// endOf returns why ctx has ended, or nil while ctx lives: the Err of ctx, or context.Canceled for a
// closed Done without an Err, or context.DeadlineExceeded for a deadline without an Err. If the cause
// of ctx is another error, errors.Is finds both.
func (e *Engine) endOf(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		switch deadline, ok := ctx.Deadline(); {
		case closed(ctx.Done()):
			err = context.Canceled
		case ok && e.until(deadline) <= 0:
			err = context.DeadlineExceeded
		default:
			return nil
		}
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// isOver reports whether ctx has ended, and whether by its deadline.
func (e *Engine) isOver(ctx context.Context) (over, deadline bool) {
	err := e.endOf(ctx)
	if ctx.Err() != nil {
		err = ctx.Err() // the cause does not matter
	}
	return err != nil, errors.Is(err, context.DeadlineExceeded)
}

// closed reports whether done is closed.
func closed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// remaining is the time left until the deadline of ctx; gone reports whether ctx has ended otherwise
// than by its deadline.
func (e *Engine) remaining(ctx context.Context) (left time.Duration, gone bool) {
	if over, deadline := e.isOver(ctx); over {
		return 0, !deadline
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		return guard.Never, false
	}
	return e.until(deadline), false
}

// leftError is the error of a call whose context ended while the call waited, before its function
// began. An engine around this one ignores a leftError: nothing was called.
type leftError struct{ end error }

func (e *leftError) Error() string { return e.end.Error() }

func (e *leftError) Unwrap() error { return e.end }

// leftFor returns the error of a request for d that ctx has ended.
func (e *Engine) leftFor(ctx context.Context, d *guard.Demand) error {
	end := e.endOf(ctx)
	if end == nil { // ctx has taken its end back
		end = context.Canceled
	}
	if !d.Breaker {
		return end
	}
	return &leftError{end}
}
