package enginehttp

import (
	"net/http"
	"slices"
	"strconv"
)

// problem is an answer whose body is application/problem+json (RFC 9457), ready to be sent.
type problem struct {
	status int
	body   []byte // not a string: many an http.ResponseWriter would have to copy a string
	length string // of body, in decimal
}

// problemFields is the number of header fields of a problem.
const problemFields = 3

// The types and their titles are as registered by draft-ietf-httpapi-ratelimit-headers-10, section
// 5.
const (
	quotaExceededBody = `{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded",` +
		`"title":"Request cannot be satisfied as assigned quota has been exceeded","status":429`
	unavailableBody = `{"type":"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",` +
		`"title":"Request cannot be satisfied due to temporary server capacity constraints","status":503}`
)

// The answers to a request whose key cannot be told: severalFields if the cause is [Header], and
// badRequest if the cause is the error of a Chain. The problems are never changed.
var (
	severalFields = newProblem(http.StatusBadRequest, `{"type":"about:blank","title":"Bad Request","status":400,`+
		`"detail":"The header field that tells clients apart must not be sent more than once."}`)
	badRequest = newProblem(http.StatusBadRequest, `{"type":"about:blank","title":"Bad Request","status":400}`)
)

// unavailable answers a request that was refused without its client's fault. The problem is never
// changed.
var unavailable = newProblem(http.StatusServiceUnavailable, unavailableBody)

// quotaExceeded returns the answer to a request that limits with these names refused; no names if
// the client is not to know.
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
	return problem{status: status, body: slices.Clip([]byte(body)), length: strconv.Itoa(len(body))}
}

// serve sends p, and keeps the values of its header fields in room. A cache must not store a 429
// (RFC 6585), also if a handler around this Handler lets caches store answers.
func (p *problem) serve(w http.ResponseWriter, r *http.Request, room []string) {
	header := w.Header()
	room = put(header, "Content-Type", "application/problem+json", room)
	room = put(header, "Content-Length", p.length, room)
	put(header, "Cache-Control", "no-store", room)
	w.WriteHeader(p.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(p.body) // the client may be gone
	}
}
