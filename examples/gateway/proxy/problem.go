package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
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

// problems are the answers that were given once, from int to problem.
var problems sync.Map

func problemOf(status int) problem {
	if known, ok := problems.Load(status); ok {
		return known.(problem) //nolint:forcetypeassert // nothing else is in there
	}
	kind := "about:blank"
	switch status {
	case http.StatusTooManyRequests:
		kind = "https://iana.org/assignments/http-problem-types#quota-exceeded"
	case http.StatusServiceUnavailable:
		kind = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
	}
	body := fmt.Appendf(nil, "{\"type\":%q,\"title\":%q,\"status\":%d}\n", kind, http.StatusText(status), status)
	p := problem{body, strconv.Itoa(len(body))}
	problems.Store(status, p)
	return p
}

// answer answers with a status.
func answer(w http.ResponseWriter, r *http.Request, status int) {
	p := problemOf(status)
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
