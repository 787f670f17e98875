package enginehttp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// attemptContext is the context of one attempt: the caller's context with a deadline. Unlike the
// deadline of context.WithTimeout, the deadline stands still while the response of the attempt is
// kept for want of a better response, so that the kept response can still be read. Until RoundTrip
// returns, only its goroutine uses the attemptContext; any goroutine may call end.
type attemptContext struct {
	context.Context // child of the caller's, made by package context: children need no goroutine
	cancel          context.CancelCauseFunc
	timer           *time.Timer // ends the context with a timeoutError as the cause
	deadline        time.Time   // as in the beginning: a deadline must not change
	left            time.Duration
	stopped         bool
}

func newAttemptContext(parent context.Context, timeout time.Duration) *attemptContext {
	ctx, cancel := context.WithCancelCause(parent)
	c := &attemptContext{Context: ctx, cancel: cancel, deadline: time.Now().Add(timeout)}
	c.timer = time.AfterFunc(timeout, func() { cancel(&timeoutError{engine.ErrAttemptTimeout, timeout}) }) // stopped by end
	return c
}

// Deadline is the earlier of the caller's and the attempt's.
func (c *attemptContext) Deadline() (time.Time, bool) {
	if d, ok := c.Context.Deadline(); ok && d.Before(c.deadline) {
		return d, true
	}
	return c.deadline, true
}

// Err tells the attempt's deadline from a cancellation. Both end the context below by a
// cancellation.
func (c *attemptContext) Err() error {
	err := c.Context.Err()
	if _, late := context.Cause(c.Context).(*timeoutError); err != nil && late { //nolint:errorlint // the very cause
		return context.DeadlineExceeded
	}
	return err
}

// end ends the context. If the context has ended before, the first reason stays.
func (c *attemptContext) end() {
	c.timer.Stop()
	c.cancel(nil)
}

// stop stops the deadline until resume.
func (c *attemptContext) stop() {
	c.stopped = c.timer.Stop()
	c.left = max(0, time.Until(c.deadline))
}

func (c *attemptContext) resume() {
	if c.stopped {
		c.timer.Reset(c.left)
	}
}

// timeoutError says that a time limit has ended an attempt, or the reading of its response.
type timeoutError struct {
	cause error         // engine.ErrTimeout or engine.ErrAttemptTimeout
	after time.Duration // Transport.AttemptTimeout, if that was the limit; else 0
}

func (e *timeoutError) Error() string {
	if e.after == 0 {
		return e.cause.Error()
	}
	return fmt.Sprintf("enginehttp: attempt not done after %v", e.after)
}

// Timeout returns true, for net.Error and *url.Error.
func (*timeoutError) Timeout() bool { return true }

// Unwrap returns the cause and context.DeadlineExceeded.
func (e *timeoutError) Unwrap() []error { return []error{e.cause, context.DeadlineExceeded} }

// explain returns err, or a timeoutError if err says that ctx has ended and a time limit was the
// reason.
func explain(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if cause == nil || !errors.Is(err, cause) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, known := errors.AsType[*timeoutError](err); known {
		return err
	}
	switch cause {
	case engine.ErrTimeout, engine.ErrAttemptTimeout: //nolint:errorlint // the very causes
		return &timeoutError{cause: cause}
	}
	if late, ok := cause.(*timeoutError); ok { //nolint:errorlint // made by an attemptContext
		return late
	}
	return err
}
