package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// statusLeft is the status in the log if the client has closed the connection, as in the logs of
// nginx.
const statusLeft = 499

// answer answers with a status, and with a body that says no more than the status (RFC 9457).
func answer(w http.ResponseWriter, r *http.Request, status int) {
	kind := "about:blank"
	switch status {
	case http.StatusTooManyRequests:
		kind = "https://iana.org/assignments/http-problem-types#quota-exceeded"
	case http.StatusServiceUnavailable:
		kind = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
	}
	body := fmt.Sprintf("{\"type\":%q,\"title\":%q,\"status\":%d}\n", kind, http.StatusText(status), status)
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, body) // the client may have left
	}
}

// unanswered is the ErrorHandler of the reverse proxy, for an upstream that was not asked or did
// not answer. unanswered always answers.
func unanswered(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(w)
	if ctx := r.Context(); ctx.Err() != nil {
		interrupted(x, r, context.Cause(ctx))
		return
	}
	x.ending = failed
	if rejection, ok := errors.AsType[*engine.Rejection](err); ok {
		x.unadmitted(r, rejection, err == error(rejection)) //nolint:errorlint // not if the error also says how an attempt failed
		return
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		answer(w, r, http.StatusGatewayTimeout)
		return
	}
	answer(w, r, http.StatusBadGateway)
}

// unadmitted answers a request that the route's engines refused, at once or before another attempt.
func (x *exchange) unadmitted(r *http.Request, refusal *engine.Rejection, atOnce bool) {
	status := http.StatusServiceUnavailable
	switch {
	case !atOnce:
	case refusal.Limited():
		x.ending, status = limited, http.StatusTooManyRequests
		x.keys.refused(refusal)
	default:
		x.ending = unavailable
	}
	if after := refusal.RetryAfter(); after > 0 {
		retryAfter(x, after)
	}
	answer(x, r, status)
}

// interrupted answers a request whose context has ended with cause. The upstream is not to blame.
func interrupted(x *exchange, r *http.Request, cause error) {
	x.ending = left
	switch {
	case errors.Is(cause, errStopping):
		answer(x, r, http.StatusServiceUnavailable)
	case errors.Is(cause, errBusy), errors.Is(cause, errExhausted):
		x.ending = unavailable
		retryAfter(x, time.Second)
		answer(x, r, http.StatusServiceUnavailable)
	case errors.Is(cause, errLateBody):
		answer(x, r, http.StatusRequestTimeout)
	case errors.Is(cause, errCutBody):
		answer(x, r, http.StatusBadRequest)
	default: // the client, which may have closed only its own direction
		answer(x, r, http.StatusBadGateway)
		x.status = statusLeft
	}
}

// retryAfter sets Retry-After, in whole seconds.
func retryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
}
