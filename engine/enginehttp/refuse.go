package enginehttp

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/limitpal/limitpal-go/engine"
)

// limitExceeded answers a request that a limiter has refused, and names no limit. It is never
// changed.
var limitExceeded = quotaExceeded(nil)

// Refuse answers r as a [Handler] without fields does if an engine refuses with err: with 429 if
// err is or holds a *engine.Rejection of the limiter, and else with 503, with Retry-After if the
// Rejection knows it, and with a body of application/problem+json. Refuse is for handlers that ask
// an engine themselves.
//
// The client has the answer without having sent the body of r. If the body is not there soon
// afterwards, the connection is closed. Refuse must be called before anything else of the answer is
// written, and nothing may be written after it.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	early := answerEarly(w, r)
	room := make([]string, 1+problemFields)
	answer := unavailable
	if rejection, ok := errors.AsType[*engine.Rejection](err); ok {
		room = putRetryAfter(w.Header(), seconds(rejection.RetryAfter()), room)
		if rejection.Limited() {
			answer = limitExceeded
		}
	}
	answer.serve(w, r, room)
	early.end()
}

// putRetryAfter adds Retry-After to h, with its value in room, unless after, in seconds, is 0.
func putRetryAfter(h http.Header, after int64, room []string) []string {
	if after <= 0 {
		return room
	}
	return put(h, "Retry-After", strconv.FormatInt(after, 10), room)
}
