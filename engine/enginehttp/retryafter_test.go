package enginehttp_test

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const none = -1
	for _, c := range []struct {
		name, advice, date string
		want               time.Duration
	}{
		{"nothing", "", "", none},
		{"seconds", "120", "", 2 * time.Minute},
		{"none to wait", "0", "", 0},
		{"leading zeros", "007", "", 7 * time.Second},
		{"space around", " \t7 ", "", 7 * time.Second},
		{"the largest", "9223372036", "", 9223372036 * time.Second},
		{"larger", "9223372037", "", math.MaxInt64},
		{"larger than an int64", "9223372036854775808", "", math.MaxInt64},
		{"larger than any", "100000000000000000000000000000000000", "", math.MaxInt64},
		{"negative", "-1", "", none},
		{"with a sign", "+1", "", none},
		{"a fraction", "1.5", "", none},
		{"an exponent", "1e3", "", none},
		{"hexadecimal", "0x10", "", none},
		{"underscores", "1_000", "", none},
		{"other digits", "１２", "", none},
		{"a unit", "10s", "", none},
		{"two", "1, 2", "", none},
		{"words", "in a while", "", none},

		{"IMF-fixdate", "Sun, 01 Mar 2026 12:00:03 GMT", "", 3 * time.Second},
		{"RFC 850", "Sunday, 01-Mar-26 12:00:03 GMT", "", 3 * time.Second},
		{"asctime", "Sun Mar  1 12:00:03 2026", "", 3 * time.Second},
		{"has passed", "Sun, 01 Mar 2026 11:59:59 GMT", "", 0},
		{"long ago", "Mon, 01 Jan 0001 00:00:00 GMT", "", 0},
		{"far away", "Fri, 31 Dec 9999 23:59:59 GMT", "", math.MaxInt64},
		{"no such day", "Sun, 31 Feb 2026 12:00:03 GMT", "", none},
		{"RFC 3339", "2026-03-01T12:00:03Z", "", none},

		{"server's clock behind", "Sun, 01 Mar 2026 11:00:03 GMT", "Sun, 01 Mar 2026 11:00:00 GMT", 3 * time.Second},
		{"server's clock ahead", "Sun, 01 Mar 2026 13:00:03 GMT", "Sun, 01 Mar 2026 13:00:00 GMT", 3 * time.Second},
		{"a clock that was never set", "Thu, 01 Jan 1970 00:02:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", 2 * time.Minute},
		{"has passed at the server", "Sun, 01 Mar 2026 13:00:00 GMT", "Sun, 01 Mar 2026 13:00:03 GMT", 0},
		{"a day", "Mon, 02 Mar 2026 11:00:00 GMT", "Sun, 01 Mar 2026 11:00:00 GMT", 24 * time.Hour},
		{"a date that cannot be", "Sun, 01 Mar 2026 12:00:03 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", 3 * time.Second},
		{"a date that is none", "Sun, 01 Mar 2026 12:00:03 GMT", "noon", 3 * time.Second},
		{"seconds count from now", "3", "Sun, 01 Mar 2026 13:00:00 GMT", 3 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{}
			if c.advice != "" {
				h.Set("Retry-After", c.advice)
			}
			if c.date != "" {
				h.Set("Date", c.date)
			}
			got, ok := enginehttp.RetryAfter(h, now)
			require.Equal(t, c.want != none, ok)
			require.Equal(t, max(0, c.want), got)
		})
	}
}

func TestOfSeveralRetryAfterTheFirstCounts(t *testing.T) {
	got, ok := enginehttp.RetryAfter(http.Header{"Retry-After": {"3", "5"}}, time.Now())
	require.True(t, ok)
	require.Equal(t, 3*time.Second, got)
}
