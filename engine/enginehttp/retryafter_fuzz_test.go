package enginehttp_test

import (
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/retry"
)

// FuzzRetryAfter: whatever a server sends, the answer is a wait that is not negative or none at all, digits alone always mean what they
// say, and a Transport that gets it either waits so long or returns the response, whose body nobody has touched; nothing is left open.
func FuzzRetryAfter(f *testing.F) {
	for _, advice := range []string{
		"", "0", "3", "-3", "61", "99999999999999999999", "1.5", "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994", "Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 01 Jan 2000 00:00:03 GMT",
	} {
		f.Add(advice, "Sat, 01 Jan 2000 00:00:00 GMT")
		f.Add(advice, "")
	}
	f.Fuzz(func(t *testing.T, advice, date string) {
		header := http.Header{"Retry-After": {advice}, "Date": {date}}
		synctest.Test(t, func(t *testing.T) {
			wait, ok := enginehttp.RetryAfter(header, time.Now())
			if wait < 0 || !ok && wait != 0 {
				t.Fatalf("Retry-After %q, Date %q: %v, %v", advice, date, wait, ok)
			}
			if n, digits := new(big.Int).SetString(advice, 10); digits && strings.Trim(advice, "0123456789") == "" {
				want := n.Mul(n, big.NewInt(int64(time.Second)))
				if !ok || want.IsInt64() && wait != time.Duration(want.Int64()) || !want.IsInt64() && wait != 1<<63-1 {
					t.Fatalf("Retry-After %q: %v, %v", advice, wait, ok)
				}
			}
			transportHeeds(t, header, wait)
		})
	})
}

// transportHeeds requires that a Transport that is given header waits so long, or not at all if that is too long.
func transportHeeds(t *testing.T, header http.Header, wait time.Duration) {
	sent := 0
	audit := &auditBase{RoundTripper: transportFunc(func(*http.Request) (*http.Response, error) {
		sent++
		resp := &http.Response{StatusCode: 503, Header: header, Body: io.NopCloser(strings.NewReader("text"))}
		if sent == 2 {
			resp.StatusCode = 200
		}
		return resp, nil
	})}
	policy := &retry.Policy{MaxAttempts: 2, BaseDelay: time.Nanosecond, MaxDelay: time.Hour, Jitter: retry.NoJitter}
	tr := &enginehttp.Transport{Engine: transportEngine(t, engine.Config{Retry: policy}), Base: audit, AttemptTimeout: time.Second}
	begun := time.Now()
	resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
	if err != nil {
		t.Fatal(err)
	}
	took, want, status := time.Since(begun), max(wait, time.Nanosecond), 200
	if wait > time.Minute {
		want, status = 0, 503
	}
	if took != want || resp.StatusCode != status {
		t.Fatalf("%v: status %d after %v, want %d after %v", header, resp.StatusCode, took, status, want)
	}
	if text := readAll(t, resp); text != "text" {
		t.Fatalf("%v: body %q", header, text)
	}
	if audit.opened.Load() != audit.closed.Load() {
		t.Fatalf("%v: %d responses, %d closed", header, audit.opened.Load(), audit.closed.Load())
	}
}
