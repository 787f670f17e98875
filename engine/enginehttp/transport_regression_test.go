package enginehttp_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/retry"
)

// The faults in this file were found in libraries that are in use for the same purpose.

// TestBodiesLeakedOnRetry: three responses were opened and one closed.
func TestBodiesLeakedOnRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		audit := &auditBase{RoundTripper: pipeTransport(t, false, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			respond(w, http.StatusServiceUnavailable)
		}))}
		client := &http.Client{Transport: &enginehttp.Transport{Engine: transportEngine(t, engine.Config{Retry: thrice}), Base: audit}}
		resp, err := client.Get("http://h/")
		require.NoError(t, err)
		require.EqualValues(t, 3, audit.opened.Load())
		require.EqualValues(t, 2, audit.closed.Load(), "all but the last")
		require.EqualValues(t, 2, audit.ended.Load(), "and read to the end before")
		require.Equal(t, "answer 503", readAll(t, resp))
		require.EqualValues(t, 3, audit.closed.Load())
	})
}

// TestPostReplayed: what must happen once happened three times.
func TestPostReplayed(t *testing.T) {
	u := startUpstream(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusServiceUnavailable) })
	client, tr := u.guarded(transportEngine(t, engine.Config{Retry: thrice}))
	resp, err := client.Post(u.URL, "application/json", strings.NewReader(`{"amount":100}`))
	require.NoError(t, err)
	require.Equal(t, "answer 503", readAll(t, resp))
	require.EqualValues(t, 1, u.requests.Load())

	tr.Retryable = func(*http.Request, *http.Response, error) bool { return true }
	resp, err = client.Post(u.URL, "application/json", strings.NewReader(`{"amount":100}`))
	require.NoError(t, err)
	readAll(t, resp)
	require.EqualValues(t, 2, u.requests.Load(), "also if Retryable says that it is worth it")
}

// TestBodyBuffered: every body was read into memory, though GetBody was there, and one without was sent again.
func TestBodyBuffered(t *testing.T) {
	u := startUpstream(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		respond(w, http.StatusServiceUnavailable)
	})
	client, _ := u.guarded(transportEngine(t, engine.Config{Retry: thrice}))
	var made []*closeCounter
	body := func() (io.ReadCloser, error) {
		made = append(made, &closeCounter{Reader: io.LimitReader(zeros{}, 1<<20)})
		return made[len(made)-1], nil
	}
	first, _ := body()
	req := newRequest(t, "PUT", u.URL, first)
	req.GetBody = body
	resp, err := client.Do(req)
	require.NoError(t, err)
	readAll(t, resp)
	require.Len(t, made, 3, "each is asked for just before it is sent")
	for _, b := range made {
		require.Positive(t, b.closed.Load())
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestDateIgnored: a Retry-After with a date was taken for none, and the request repeated at once.
func TestDateIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, base := scripted(t, engine.Config{Retry: thrice}, 503, 200)
		base.responses[0].Header.Set("Retry-After", dateIn(3*time.Second))
		begun := time.Now()
		resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
		require.NoError(t, err)
		require.Equal(t, "text", readAll(t, resp))
		require.Equal(t, 3*time.Second, time.Since(begun))
	})
}

// TestRetryAfterUncapped: a server that asked for a day held its callers for a day.
func TestRetryAfterUncapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, advice := range []string{"86400", "9223372036854775807", "18446744073709551616", dateIn(24 * time.Hour)} {
			policy := &retry.Policy{BaseDelay: time.Nanosecond, MaxDelay: 1<<63 - 1}
			tr, base := scripted(t, engine.Config{Retry: policy}, 503, 200)
			base.responses[0].Header.Set("Retry-After", advice)
			begun := time.Now()
			resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
			require.NoError(t, err)
			require.Equal(t, 503, resp.StatusCode)
			require.Equal(t, "text", readAll(t, resp))
			require.Zero(t, time.Since(begun))
		}
	})
}

// TestDrainWithoutEnd: a server that stalled in the middle of an error's body held up the next attempt for good.
func TestDrainWithoutEnd(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			p := startPipePeer(t, stallBusy, stallBusy, answer)
			tr := &enginehttp.Transport{
				Engine: transportEngine(t, engine.Config{Retry: thrice}), Base: p.base, AttemptTimeout: timeout,
			}
			begun := time.Now()
			resp, err := tr.RoundTrip(newRequest(t, "GET", p.url, nil))
			require.NoError(t, err)
			require.Equal(t, 200*time.Millisecond, time.Since(begun).Truncate(time.Millisecond), "100 ms for each of two bodies")
			require.Equal(t, "ok", readAll(t, resp))
			require.EqualValues(t, 3, p.accepted.Load())
		})
	}
}

// TestContextEndedTooEarly: the context of an attempt was cancelled when its header had come, and long bodies broke off.
func TestContextEndedTooEarly(t *testing.T) {
	text := strings.Repeat("0123456789", 100_000)
	u := startUpstream(t, func(_ int64, w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, text)
	})
	client, tr := u.guarded(transportEngine(t, engine.Config{Retry: thrice}))
	tr.AttemptTimeout = time.Minute
	resp, err := client.Get(u.URL)
	require.NoError(t, err)
	require.Equal(t, text, readAll(t, resp))
}
