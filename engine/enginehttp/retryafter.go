package enginehttp

import (
	"math"
	"net/http"
	"net/textproto"
	"strconv"
	"time"
)

// farthestDate is the longest time between the Date and the Retry-After of a response for which
// Date is believed.
const farthestDate = 24 * time.Hour

// RetryAfter returns the wait, from now on, that the Retry-After of a response asks for before the
// next request (RFC 9110, section 10.2.3), and whether the header h has a Retry-After. The wait is
// never negative.
//
// RetryAfter reads both forms: a number of seconds, and a date in any of the three formats of RFC
// 9110, section 5.6.7. A date is measured from the Date of h, so that the clocks of client and
// server may differ. If h has no Date, or if Retry-After is more than 24 h later than Date, a date
// is measured from now. A date that has passed is 0. A number too large for a time.Duration is the
// largest Duration, about 292 years. Any other value, also a negative number or a fraction, counts
// as absent. Of several values the first counts.
func RetryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	text := textproto.TrimString(h.Get("Retry-After"))
	if text == "" {
		return 0, false
	}
	if seconds, ok := adviceSeconds(text); ok {
		return seconds, true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		if wait := at.Sub(date); wait <= farthestDate {
			return max(0, wait), true
		}
	}
	return max(0, at.Sub(now)), true // Sub is held within a Duration
}

// adviceSeconds reads the first form: digits and nothing else.
func adviceSeconds(text string) (time.Duration, bool) {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(text, 10, 64) // digits can only be too many
	if err != nil || n > math.MaxInt64/uint64(time.Second) {
		return math.MaxInt64, true
	}
	return time.Duration(n) * time.Second, true
}
