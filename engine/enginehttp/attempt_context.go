package enginehttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// attemptContext is the context of one attempt: that of the caller, with a deadline. Unlike one of context.WithTimeout it can be stopped
// while its response waits to be replaced by a better one, so that the response can still be read if none comes. It is used by the
// goroutine of RoundTrip, until that returns; end may be called by any.
type attemptContext struct {
	context.Context // child of the caller's; contexts made from this one become children of it without a goroutine
	cancel          context.CancelCauseFunc
	timer           *time.Timer // ends it with timedOut as the cause
	timedOut        *attemptTimeoutError
	deadline        time.Time // as it was in the beginning, for it must not change
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

// Err tells the attempt's deadline from a cancellation, which is how it ends the context below.
func (c *attemptContext) Err() error {
	err := c.Context.Err()
	if err != nil && c.late() {
		return context.DeadlineExceeded
	}
	return err
}

// late reports whether it was the attempt's own deadline that ended it.
func (c *attemptContext) late() bool {
	return context.Cause(c.Context) == error(c.timedOut) //nolint:errorlint // this attempt's, and not that of an attempt around it
}

// explain is err, or if it says only that the context has ended, why.
func (c *attemptContext) explain(err error) error {
	ended := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if _, known := errors.AsType[*attemptTimeoutError](err); ended && !known && c.late() {
		return c.timedOut
	}
	return err
}

// end ends it. The first reason that it ended for stays.
func (c *attemptContext) end() {
	c.timer.Stop()
	c.cancel(nil)
}

// hold stops the clock until resume.
func (c *attemptContext) hold() {
	c.held = c.timer.Stop()
	c.left = max(0, time.Until(c.deadline))
}

func (c *attemptContext) resume() {
	if c.held {
		c.timer.Reset(c.left)
	}
}

// bind has it end with the body of resp, and returns what is left of it: itself, or nil if there is no body.
func (c *attemptContext) bind(resp *http.Response) *attemptContext {
	if resp.Body == nil || resp.Body == http.NoBody {
		c.end()
		return nil
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		c.timer.Stop() // the attempt has succeeded, and what follows is no response
	}
	resp.Body = newAttemptBody(c, resp.Body)
	return c
}

// attemptTimeoutError says that an attempt took longer than Transport.AttemptTimeout.
type attemptTimeoutError struct{ after time.Duration }

func (e *attemptTimeoutError) Error() string {
	return fmt.Sprintf("enginehttp: attempt not done after %v", e.after)
}

// Timeout is true, for net.Error and *url.Error.
func (*attemptTimeoutError) Timeout() bool { return true }

// Unwrap gives context.DeadlineExceeded.
func (*attemptTimeoutError) Unwrap() error { return context.DeadlineExceeded }
