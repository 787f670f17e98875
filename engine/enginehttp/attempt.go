package enginehttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// attempts is one call of RoundTrip: the request, and what the last attempt at it has left open.
type attempts struct {
	transport *Transport
	req       *http.Request // the caller's, never changed
	begun     bool          // Base has been given the request, and with it the duty to close its body
	resp      *http.Response
	ctx       *attemptContext // of the attempt that resp is of; nil without AttemptTimeout, and once it has ended for sure
	err       error           // of the last attempt that brought no response
}

// once makes one attempt and tells the engine what came of it. The response of the attempt before stays until this one is sure to be
// made, so that there is something to return if it is not.
func (a *attempts) once() error {
	req, err := a.request()
	if err != nil {
		a.err = err
		return &engine.Verdict{Err: err, Outcome: engine.Ignore, Final: true}
	}
	a.discard()
	a.begun = true
	if timeout := a.transport.AttemptTimeout; timeout > 0 {
		a.ctx = newAttemptContext(a.req.Context(), timeout)
		req = req.WithContext(a.ctx)
	}
	resp, err := a.transport.base().RoundTrip(req)
	if err == nil && resp == nil {
		err = fmt.Errorf("enginehttp: Base (%T) returned neither a response nor an error", a.transport.base())
	}
	if err != nil {
		return a.failed(resp, err)
	}
	a.resp = resp
	if resp.Request == req {
		resp.Request = a.req // whose context does not end with the attempt
	}
	if a.ctx != nil {
		a.ctx = a.ctx.bind(resp)
	}
	return a.answered()
}

// request is what to give to Base: the caller's request as long as its body is unused, and after that a copy with a new body.
func (a *attempts) request() (*http.Request, error) {
	if !a.begun || a.req.Body == nil || a.req.Body == http.NoBody {
		return a.req, nil
	}
	body, err := a.req.GetBody()
	if err != nil {
		err = fmt.Errorf("enginehttp: no body for another attempt: %w", err)
		if a.err != nil {
			err = fmt.Errorf("%w; the last attempt failed: %w", err, a.err)
		}
		return nil, err
	}
	again := a.req.WithContext(a.req.Context()) // a shallow copy: Base may not change what both have in common either
	again.Body = body
	return again, nil
}

// failed is the verdict on an attempt that brought no response, or one that does not count beside an error.
func (a *attempts) failed(resp *http.Response, err error) error {
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	if a.ctx != nil {
		err = a.ctx.explain(err)
		a.ctx.end()
		a.ctx = nil
	}
	a.err = err
	if withdrawn(a.req) {
		return &engine.Verdict{Err: err, Outcome: engine.Ignore, Final: true}
	}
	again := replayable(a.req) && a.transport.retryable(a.req, nil, err)
	return &engine.Verdict{Err: err, Outcome: engine.Failure, Final: !again}
}

// answered is the verdict on an attempt that brought a response.
func (a *attempts) answered() error {
	a.err = nil
	outcome := engine.Success
	switch code := a.resp.StatusCode; {
	case code/100 == 5:
		outcome = engine.Failure
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests:
		outcome = engine.Ignore
	}
	again := replayable(a.req) && a.transport.retryable(a.req, a.resp, nil)
	if !again && outcome == engine.Success {
		return nil
	}
	v := &engine.Verdict{Err: attemptStatusError(a.resp.StatusCode), Outcome: outcome, Final: true}
	if again {
		v.After, _ = RetryAfter(a.resp.Header, time.Now())
		v.Final = v.After > a.transport.maxRetryAfter()
	}
	if !v.Final && a.ctx != nil {
		a.ctx.hold()
	}
	return v
}

// result is what RoundTrip returns, err being what the engine did.
func (a *attempts) result(err error) (*http.Response, error) {
	if !a.begun {
		a.closeRequest()
		return nil, err
	}
	var ended error
	if err != nil {
		ended = a.req.Context().Err()
	}
	if a.resp != nil && (ended == nil || !errors.Is(err, ended)) {
		if a.ctx != nil {
			a.ctx.resume()
		}
		return a.resp, nil
	}
	a.discard()                             // the caller has left while there was nothing but to wait
	if _, ok := err.(attemptTimeout); ok || //nolint:errorlint // as *url.Error does
		errors.Is(ended, context.Canceled) {
		return nil, err
	}
	if cause, ok := errors.AsType[attemptTimeout](err); ok && cause.Timeout() {
		err = transportTimeout{err}
	}
	return nil, err
}

// discard gives up the response that is open, if one is.
func (a *attempts) discard() {
	if a.resp != nil {
		drainBody(a.resp)
	}
	a.resp, a.ctx = nil, nil // the context has ended with the body
}

// abandon leaves nothing open when RoundTrip does not return.
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

// attemptTimeout is what a *url.Error asks of the error in it, and of that alone, to tell whether it is a timeout.
type attemptTimeout interface {
	error
	Timeout() bool
}

// transportTimeout is an error of the engine around one of an attempt, or of the caller's context, that is a timeout.
type transportTimeout struct{ error }

func (transportTimeout) Timeout() bool   { return true }
func (e transportTimeout) Unwrap() error { return e.error }
