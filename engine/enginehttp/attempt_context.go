package enginehttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// attemptContext is the context of one attempt: the caller's context with a deadline. Unlike the
// deadline of context.WithTimeout, the deadline stands still while the response of the attempt is
// kept for want of a better response, so that the kept response can still be read. Until RoundTrip
// returns, only its goroutine uses the attemptContext; any goroutine may call end.
type attemptContext struct {
	context.Context // child of the caller's, made by package context: children need no goroutine
	cancel          context.CancelCauseFunc
	timer           *time.Timer // ends the context with timedOut as the cause
	timedOut        *attemptTimeoutError
	deadline        time.Time // as in the beginning: a deadline must not change
	left            time.Duration
	held            bool
}

func newAttemptContext(parent context.Context, timeout time.Duration) *attemptContext {
	ctx, cancel := context.WithCancelCause(parent)
	c := &attemptContext{
		Context: ctx, cancel: cancel,
		timedOut: &attemptTimeoutError{timeout}, deadline: time.Now().Add(timeout),
	}
	c.timer = time.AfterFunc(timeout, func() { cancel(c.timedOut) }) // stopped by end
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
	if err != nil && c.late() {
		return context.DeadlineExceeded
	}
	return err
}

// late reports whether the attempt's own deadline ended the context.
func (c *attemptContext) late() bool {
	return context.Cause(c.Context) == error(c.timedOut) //nolint:errorlint // this very error
}

// explain returns err, or timedOut if err says that a context has ended and the attempt's own
// deadline was the reason.
func (c *attemptContext) explain(err error) error {
	ended := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if _, known := errors.AsType[*attemptTimeoutError](err); ended && !known && c.late() {
		return c.timedOut
	}
	return err
}

// end ends the context. If the context has ended before, the first reason stays.
func (c *attemptContext) end() {
	c.timer.Stop()
	c.cancel(nil)
}

// hold stops the deadline until resume.
func (c *attemptContext) hold() {
	c.held = c.timer.Stop()
	c.left = max(0, time.Until(c.deadline))
}

func (c *attemptContext) resume() {
	if c.held {
		c.timer.Reset(c.left)
	}
}

// bind has the context end with the body of resp, and returns c. Without a body, bind ends the
// context and returns nil.
func (c *attemptContext) bind(resp *http.Response) *attemptContext {
	if resp.Body == nil || resp.Body == http.NoBody {
		c.end()
		return nil
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		c.timer.Stop() // the attempt has succeeded, and the bytes that follow are no response
	}
	resp.Body = newAttemptBody(c, resp.Body)
	return c
}

// attemptTimeoutError says that an attempt took longer than Transport.AttemptTimeout.
type attemptTimeoutError struct{ after time.Duration }

func (e *attemptTimeoutError) Error() string {
	return fmt.Sprintf("enginehttp: attempt not done after %v", e.after)
}

// Timeout returns true, for net.Error and *url.Error.
func (*attemptTimeoutError) Timeout() bool { return true }

// Unwrap returns context.DeadlineExceeded.
func (*attemptTimeoutError) Unwrap() error { return context.DeadlineExceeded }
