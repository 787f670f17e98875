package enginehttp

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// longestKey is the length in bytes up to which a key is used as it is.
const longestKey = 256

// severalLines is, or is in, the key of a request that has the field of [Header] more than once. No
// value of a header field can hold it. A Handler answers such a request with 400.
const severalLines = "\x00enginehttp: several lines\x00"

// Header returns a Handler.Key that gives the value of a request's header field name. All requests
// without the field have the key "", so that they share one limit and one breaker. A request with
// several lines of the field is answered 400 Bad Request by the [Handler]: nobody can tell which of
// the lines the next handler will believe.
//
// For "Host" the key is the request's host as a [Transport] spells it: in lower case, without a
// default port and without a dot at the end.
//
// Keys are kept in memory, so that a value of more than 256 bytes is replaced by its SHA-256 in
// hexadecimal. A client chooses the values that it sends, and new values are new keys with new
// limits: put the Handler behind a handler that verifies the field, or limit by address as well
// ([RemoteIP]).
func Header(name string) func(*http.Request) string {
	name = http.CanonicalHeaderKey(name)
	if name == "Host" {
		return func(r *http.Request) string {
			if r.TLS != nil {
				return shortened(hostKey("https", r.Host))
			}
			return shortened(hostKey("http", r.Host))
		}
	}
	return func(r *http.Request) string {
		switch values := r.Header[name]; len(values) {
		case 0:
			return ""
		case 1:
			return shortened(values[0])
		default:
			return severalLines
		}
	}
}

// ambiguous reports whether key is made from a field with several lines.
func ambiguous(key string) bool { return strings.Contains(key, severalLines) }

// shortened returns key, or its SHA-256 in hexadecimal if key is long: keys are kept in memory.
func shortened(key string) string {
	if len(key) <= longestKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
