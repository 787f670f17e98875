package enginehttp

import (
	"io"
	"net/http"
	"strconv"
)

// problem is an answer whose body is application/problem+json (RFC 9457), ready to be sent.
type problem struct {
	status int
	body   string
	length string // of body, in decimal
}

// The types and their titles are those that draft-ietf-httpapi-ratelimit-headers-10, section 5, registers.
const (
	quotaExceededBody = `{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded",` +
		`"title":"Request cannot be satisfied as assigned quota has been exceeded","status":429`
	unavailableBody = `{"type":"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",` +
		`"title":"Request cannot be satisfied due to temporary server capacity constraints","status":503}`
)

// unavailable answers a request that was refused for a reason that is not its client's fault. It is never changed.
var unavailable = newProblem(http.StatusServiceUnavailable, unavailableBody)

// quotaExceeded answers a request that was refused by limits of these names; none if they are not to be told.
func quotaExceeded(violated []string) problem {
	body := quotaExceededBody
	for i, name := range violated {
		if i == 0 {
			body += `,"violated-policies":["` + name + `"`
		} else {
			body += `,"` + name + `"`
		}
	}
	if len(violated) > 0 {
		body += "]"
	}
	return newProblem(http.StatusTooManyRequests, body+"}")
}

func newProblem(status int, body string) problem {
	return problem{status: status, body: body, length: strconv.Itoa(len(body))}
}

// serve sends p. A cache must not store a 429 (RFC 6585), whatever a handler around this one says of answers in general.
func (p *problem) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	values := [...]string{"application/problem+json", p.length, "no-store"}
	header["Content-Type"] = values[0:1:1]
	header["Content-Length"] = values[1:2:2]
	header["Cache-Control"] = values[2:3:3]
	w.WriteHeader(p.status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, p.body) // the client may be gone
	}
}
