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

// statusLeft is what the log says of a client that has left; nothing is sent. nginx writes it so.
const statusLeft = 499

// errStopping is why contexts end when the gateway stops before its requests have.
var errStopping = errors.New("proxy: the gateway is stopping")

// answer answers with a status and says no more than it does (RFC 9457).
func answer(w http.ResponseWriter, r *http.Request, status int) {
	kind := "about:blank"
	if status == http.StatusServiceUnavailable {
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

// unanswered is the ErrorHandler of the reverse proxy: the upstream was not asked, or did not answer.
func unanswered(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(w)
	if ctx := r.Context(); errors.Is(ctx.Err(), context.Canceled) {
		x.ending = left
		switch cause := context.Cause(ctx); {
		case errors.Is(cause, errStopping):
			answer(w, r, http.StatusServiceUnavailable)
		case errors.Is(cause, errUpload):
			answer(w, r, http.StatusBadRequest)
		default:
			x.status = statusLeft
		}
		return
	}
	x.ending = failed
	if rejection, ok := errors.AsType[*engine.Rejection](err); ok {
		if err == error(rejection) { //nolint:errorlint // as it is, and not together with how an attempt before it failed
			x.ending = unavailable
		}
		if after := rejection.RetryAfter(); after > 0 {
			seconds := (after + time.Second - 1) / time.Second
			w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
		}
		answer(w, r, http.StatusServiceUnavailable)
		return
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		answer(w, r, http.StatusGatewayTimeout)
		return
	}
	answer(w, r, http.StatusBadGateway)
}
