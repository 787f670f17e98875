package enginehttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// attempts is one call of RoundTrip: the request, and the open ends of the last attempt.
type attempts struct {
	transport *Transport
	req       *http.Request // the caller's, never changed
	begun     bool          // Base has been given the request, and the duty to close its body
	sent      bool          // Base has been given the request, and has not returned
	keeps     bool          // as in subject
	heeds     bool          // as in subject
	resp      *http.Response
	in        context.Context // of the last attempt
	ctx       *attemptContext // in, of the attempt that brought resp, if that has a time limit of t; nil after its end
	hold      *engine.Hold    // of the body of resp; nil if there is nothing to keep
	err       error           // of the last attempt that brought no response
	lease     *lease          // of an attempt that upload makes; else nil
	body      *sentBody       // of the last attempt; nil if that body cannot fail unseen
	trace     *attemptTrace   // of the last attempt; nil if nothing needs to be noted
}

// once makes one attempt with ctx, the caller's or a child, and returns the attempt's meaning for
// the engine. The response of the attempt before stays open until this attempt is sure to be made,
// so that there is a response to return if this attempt is not made.
func (a *attempts) once(ctx context.Context) error {
	body, err := a.nextBody()
	if err != nil {
		a.err = err
		return &engine.Verdict{Err: err, Outcome: engine.Ignore, Final: true}
	}
	a.discard()
	a.begun = true
	req := a.prepare(ctx, body)
	if a.body != nil {
		defer a.body.settle()
	}
	a.sent = true
	resp, err := a.transport.base().RoundTrip(req)
	a.sent = false
	if err == nil && resp == nil {
		err = fmt.Errorf("enginehttp: Base (%T) returned neither a response nor an error", a.transport.base())
	}
	if err != nil {
		a.transport.attempts.add(endFailed)
		return a.failed(resp, err)
	}
	a.transport.attempts.add(endOf(resp.StatusCode))
	a.resp = resp
	if resp.Request == req {
		resp.Request = a.req // whose context does not end with the attempt
	}
	a.bind()
	return a.answered()
}

// nextBody returns the body of the next attempt: the caller's if that is unused, and else a new
// body.
func (a *attempts) nextBody() (io.ReadCloser, error) {
	if !a.begun || a.req.Body == nil || a.req.Body == http.NoBody {
		return a.req.Body, nil
	}
	body, err := a.req.GetBody()
	if err != nil {
		err = fmt.Errorf("enginehttp: no body for another attempt: %w", err)
		if a.err != nil {
			err = fmt.Errorf("%w; the last attempt failed: %w", err, a.err)
		}
	}
	return body, err
}

// prepare returns the request for Base: the caller's, or a copy if the attempt has a context or a
// body of its own.
func (a *attempts) prepare(ctx context.Context, body io.ReadCloser) *http.Request {
	t := a.transport
	a.body, a.trace = nil, nil
	a.keeps = a.keeps || ctx.Done() != a.req.Context().Done() // a context of the engine would end with the attempt
	if t.AttemptTimeout > 0 {
		a.ctx = newAttemptContext(ctx, t.AttemptTimeout)
		ctx = a.ctx
	}
	a.in = ctx
	if bounded := mayWait(ctx, t.base()); bounded || !sendable(a.req) {
		a.trace, ctx = newAttemptTrace(ctx, bounded)
	}
	if mayFail(body) {
		a.body = newSentBody(ctx, a.req, a.lease)
		body = a.body.watched(body)
	}
	if ctx == a.req.Context() && body == a.req.Body {
		return a.req
	}
	req := a.req.WithContext(ctx) // a shallow copy: Base may not change the parts in common either
	req.Body = body
	if a.body != nil && req.GetBody != nil {
		req.GetBody = a.body.again
	}
	return req
}

// failed returns the verdict on an attempt that ended with err. A response beside err does not
// count.
func (a *attempts) failed(resp *http.Response, err error) error {
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	local := a.local()
	err = explain(a.in, err)
	if a.ctx != nil {
		a.ctx.end()
		a.ctx = nil
	}
	a.err = err
	seen := err
	if local {
		seen = localError{err}
	}
	v := &engine.Verdict{Err: err, Outcome: engine.Ignore, Final: true}
	if withdrawn(a.req) {
		return v
	}
	v.Outcome = a.transport.classify(nil, seen)
	v.Final = local || callersMistake(err) || !replayable(a.req) || !a.transport.retryable(a.req, nil, err)
	return v
}

// local reports whether the attempt failed because of the caller's request or body, or of a bound
// of this process that kept it from a connection.
func (a *attempts) local() bool {
	timeUp := errors.Is(a.in.Err(), context.DeadlineExceeded) || errors.Is(a.req.Context().Err(), context.DeadlineExceeded)
	return a.body.toBlame(timeUp) || a.trace.mistaken() || timeUp && a.trace.waiting()
}

// answered returns the verdict on an attempt that brought a response.
func (a *attempts) answered() error {
	a.err = nil
	outcome := a.transport.classify(a.resp, nil)
	if outcome == engine.Failure && a.transport.Classify == nil && a.body.toBlame(false) {
		outcome = engine.Ignore // the server did not get the request
	}
	again := replayable(a.req) && a.transport.retryable(a.req, a.resp, nil)
	if !again && outcome == engine.Success {
		if a.hold != nil {
			return &engine.Verdict{Outcome: engine.Success, Keep: a.hold}
		}
		return nil
	}
	v := &engine.Verdict{Err: attemptStatusError(a.resp.StatusCode), Outcome: outcome, Final: true, Keep: a.hold}
	asks := a.heeds && outcome == engine.Failure && a.resp.StatusCode == http.StatusServiceUnavailable
	var after time.Duration
	if again || asks {
		after, _ = RetryAfter(a.resp.Header, time.Now())
	}
	if asks {
		v.OpenFor = after
	}
	if again {
		v.After = after
		v.Final = after > a.transport.maxRetryAfter()
	}
	if !v.Final && a.ctx != nil {
		a.ctx.stop()
	}
	return v
}

// result returns the results of RoundTrip; err is the error of the engine.
func (a *attempts) result(err error) (*http.Response, error) {
	if !a.begun {
		a.closeRequest()
		return nil, err
	}
	var ended error
	if err != nil {
		if ended = a.req.Context().Err(); ended == nil {
			ended = engine.ErrTimeout // of the engine; then the response cannot be read either
		}
	}
	unreadable := err != nil && a.hold != nil && a.in.Err() != nil // kept for longer than a time limit of the engine
	if a.resp != nil && !unreadable && (ended == nil || !errors.Is(err, ended)) {
		if a.ctx != nil {
			a.ctx.resume()
		}
		return a.resp, nil
	}
	a.discard()                             // the caller has left between two attempts, or a time limit has ended
	if _, ok := err.(attemptTimeout); ok || //nolint:errorlint // as *url.Error does
		errors.Is(ended, context.Canceled) {
		return nil, err
	}
	if cause, ok := errors.AsType[attemptTimeout](err); ok && cause.Timeout() {
		err = transportTimeout{err}
	}
	return nil, err
}

// ending returns how a call of RoundTrip ends that returns resp and err. mistaken says that the
// request could not have an attempt.
func (a *attempts) ending(mistaken bool, resp *http.Response, err error) ending {
	switch {
	case resp != nil:
		return endOf(resp.StatusCode)
	case a.begun:
		return endFailed
	case mistaken:
		return endInvalid
	}
	if _, invalid := errors.AsType[*engine.ConfigError](err); invalid { // the keys of Chain make no chain
		return endInvalid
	}
	return refusal(err)
}

// discard gives up the response that is open, if there is an open response.
func (a *attempts) discard() {
	if a.resp != nil {
		drainBody(a.resp)
	}
	a.resp, a.ctx, a.hold = nil, nil, nil // the context has ended with the body
}

// abandon leaves nothing open if RoundTrip does not return.
func (a *attempts) abandon() {
	if !a.begun {
		a.closeRequest()
	}
	if a.resp != nil && a.resp.Body != nil {
		_ = a.resp.Body.Close()
	}
	if a.ctx != nil {
		a.ctx.end()
	}
}

// closeRequest closes the body of a request that Base has not been given.
func (a *attempts) closeRequest() {
	if a.req.Body != nil {
		_ = a.req.Body.Close()
	}
}

// attemptStatusError stands for a response that is a failure or worth another attempt.
type attemptStatusError int

func (e attemptStatusError) Error() string {
	return fmt.Sprintf("enginehttp: status %d %s", int(e), http.StatusText(int(e)))
}

// attemptTimeout is the method by which a *url.Error tells whether the error in it is a timeout. A
// *url.Error asks that error alone, and no error further inside.
type attemptTimeout interface {
	error
	Timeout() bool
}

// transportTimeout is an error of the engine around a timeout of an attempt or of the caller's
// context.
type transportTimeout struct{ error }

func (transportTimeout) Timeout() bool   { return true }
func (e transportTimeout) Unwrap() error { return e.error }
