package enginehttp

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

// longestKey is how long, in bytes, the value of a header field may be to be a key as it is.
const longestKey = 256

// Header returns a Handler.Key that is the value of a request's header field name, the first if there are several; for "Host" it is
// the request's host. All requests without the field have the key "", so that they share one limit and one breaker.
//
// A client chooses what it sends: put Handler behind whatever verifies the field, or limit by address as well ([RemoteIP]). Keys
// are kept in memory, so that a value of more than 256 bytes is replaced by its SHA-256 in hexadecimal.
func Header(name string) func(*http.Request) string {
	name = http.CanonicalHeaderKey(name)
	if name == "Host" {
		return func(r *http.Request) string { return shortened(r.Host) }
	}
	return func(r *http.Request) string {
		values := r.Header[name]
		if len(values) == 0 {
			return ""
		}
		return shortened(values[0])
	}
}

// shortened is value, or its hash if it is long.
func shortened(value string) string {
	if len(value) <= longestKey {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}
