package enginehttp

import (
	"math"
	"net/http"
	"net/textproto"
	"strconv"
	"time"
)

// farthestDate is how much later than the Date of its response a Retry-After may be for that Date to be believed.
const farthestDate = 24 * time.Hour

// RetryAfter is how long the header of a response asks to wait from now on before the next request, and whether it does, after RFC 9110,
// section 10.2.3. The wait is never negative.
//
// Both forms are read: a number of seconds, and a date in any of the three formats that RFC 9110, section 5.6.7, has. A date is measured
// from the header's Date, so that it does not matter how the clocks of client and server differ; without one, or if Retry-After is more
// than 24 h later than it, from now. What has passed is 0. A number too large for a time.Duration is the largest of them, about 292
// years. Anything else, a negative number or a fraction too, is as if it were not there. Of several, the first counts.
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

// adviceSeconds reads the first form, digits and nothing else.
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
