package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// statusLeft is the status in the log if the client has closed the connection, as in the logs of
// nginx.
const statusLeft = 499

// problem is the answer with a status, and with a body that says no more than the status (RFC 9457).
type problem struct {
	body   []byte
	length string
}

// problems are the answers with each status that the gateway itself gives.
var problems = problemsOf(http.StatusBadRequest, http.StatusNotFound, http.StatusRequestTimeout, http.StatusTooManyRequests,
	http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout)

func problemsOf(statuses ...int) map[int]problem {
	all := make(map[int]problem, len(statuses))
	for _, status := range statuses {
		all[status] = newProblem(status)
	}
	return all
}

func newProblem(status int) problem {
	kind := "about:blank"
	switch status {
	case http.StatusTooManyRequests:
		kind = "https://iana.org/assignments/http-problem-types#quota-exceeded"
	case http.StatusServiceUnavailable:
		kind = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
	}
	body := fmt.Appendf(nil, "{\"type\":%q,\"title\":%q,\"status\":%d}\n", kind, http.StatusText(status), status)
	return problem{body, strconv.Itoa(len(body))}
}

// answer answers with one of the statuses of problems.
func answer(w http.ResponseWriter, r *http.Request, status int) {
	p := problems[status]
	h := w.Header()
	room := [...]string{"application/problem+json", p.length, "no-store"}
	h["Content-Type"], h["Content-Length"], h["Cache-Control"] = room[0:1:1], room[1:2:2], room[2:3:3]
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(p.body) // the client may have left
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
	x.fail(r, err)
}

// fail answers a request that ended with err, although the request's context has not ended.
func (x *exchange) fail(r *http.Request, err error) {
	x.ending = failed
	if rejection, ok := errors.AsType[*engine.Rejection](err); ok {
		x.unadmitted(r, rejection, err == error(rejection)) //nolint:errorlint // not if the error also says how an attempt failed
		return
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		answer(x, r, http.StatusGatewayTimeout)
		return
	}
	answer(x, r, http.StatusBadGateway)
}

// unadmitted answers a request that the route's engines refused, at once or before another attempt.
func (x *exchange) unadmitted(r *http.Request, refusal *engine.Rejection, atOnce bool) {
	status := http.StatusServiceUnavailable
	switch {
	case !atOnce:
	case refusal.Limited():
		x.ending, status = limited, http.StatusTooManyRequests
		x.address = refusal.Engine == ofAddresses
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
