package enginehttp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// respond answers with status and a body that names it.
func respond(w http.ResponseWriter, status int) {
	w.Header().Set("X-Answer", fmt.Sprint(status))
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "answer %d", status)
}

func TestATransportNeedsNothingButItsEngine(t *testing.T) {
	u := startUpstream(t, func(n int64, w http.ResponseWriter, _ *http.Request) {
		if n < 3 {
			respond(w, http.StatusServiceUnavailable)
			return
		}
		respond(w, http.StatusOK)
	})
	client := &http.Client{Transport: &enginehttp.Transport{Engine: transportEngine(t, engine.Config{Retry: thrice})}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(u.URL)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "answer 200", readAll(t, resp))
	require.EqualValues(t, 3, u.requests.Load())
}

// TestWhatAStatusMeans: for the retries and for the breaker. The last response comes as it is, whatever it says.
func TestWhatAStatusMeans(t *testing.T) {
	for status, want := range map[int]struct{ requests, failures int }{
		200: {1, 0}, 204: {1, 0}, 304: {1, 0}, 400: {1, 0}, 401: {1, 0}, 404: {1, 0}, 409: {1, 0}, 499: {1, 0},
		408: {3, 0}, 429: {3, 0},
		500: {1, 1}, 507: {1, 1}, 599: {1, 1},
		501: {1, 0}, 505: {1, 0},
		502: {3, 3}, 503: {3, 3}, 504: {3, 3},
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			u := startUpstream(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { respond(w, status) })
			eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
			client, _ := u.guarded(eng)
			resp, err := client.Get(u.URL)
			require.NoError(t, err)
			require.Equal(t, status, resp.StatusCode)
			require.Equal(t, fmt.Sprint(status), resp.Header.Get("X-Answer"))
			if body := readAll(t, resp); status != 204 && status != 304 {
				require.Equal(t, fmt.Sprintf("answer %d", status), body)
			}
			require.EqualValues(t, want.requests, u.requests.Load())
			require.Equal(t, want.failures, failuresOf(t, eng, u.host()))
		})
	}
}

// TestWhatCountsNeitherWay leaves failures that were counted as they are, where a success forgives them.
func TestWhatCountsNeitherWay(t *testing.T) {
	statuses := []int{503, 429, 408, 404}
	u := startUpstream(t, func(n int64, w http.ResponseWriter, _ *http.Request) { respond(w, statuses[n-1]) })
	eng := transportEngine(t, engine.Config{Breaker: counting})
	client, _ := u.guarded(eng)
	for i, failures := range []int{1, 1, 1, 0} {
		resp, err := client.Get(u.URL)
		require.NoError(t, err)
		readAll(t, resp)
		require.Equal(t, failures, failuresOf(t, eng, u.host()), "after %d", statuses[i])
	}
}

func TestOnlyIdempotentRequestsAreRepeated(t *testing.T) {
	u := startUpstream(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusServiceUnavailable) })
	client, _ := u.guarded(transportEngine(t, engine.Config{Retry: thrice}))
	for _, c := range []struct {
		method, header string
		requests       int
	}{
		{"GET", "", 3}, {"HEAD", "", 3}, {"OPTIONS", "", 3}, {"TRACE", "", 3}, {"PUT", "", 3}, {"DELETE", "", 3},
		{"POST", "", 1}, {"PATCH", "", 1}, {"PURGE", "", 1}, {"get", "", 1},
		{"POST", "Idempotency-Key", 3}, {"PATCH", "X-Idempotency-Key", 3},
	} {
		t.Run(c.method+c.header, func(t *testing.T) {
			before := u.requests.Load()
			req := newRequest(t, c.method, u.URL, nil)
			if c.header != "" {
				req.Header.Set(c.header, "8e03978e")
			}
			resp, err := client.Do(req)
			require.NoError(t, err)
			readAll(t, resp)
			require.EqualValues(t, c.requests, u.requests.Load()-before)
		})
	}
}

// TestABodyIsSentAgainWhole, if it can be had again, and else once.
func TestABodyIsSentAgainWhole(t *testing.T) {
	text := strings.Repeat("0123456789", 20_000)
	var got []string
	u := startUpstream(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, string(body))
		respond(w, http.StatusBadGateway)
	})
	client, _ := u.guarded(transportEngine(t, engine.Config{Retry: thrice}))
	for _, c := range []struct {
		name     string
		body     io.Reader
		requests int
	}{
		{"replayable", strings.NewReader(text), 3},
		{"not replayable", struct{ io.Reader }{strings.NewReader(text)}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got = nil
			resp, err := client.Do(newRequest(t, "PUT", u.URL, c.body))
			require.NoError(t, err)
			readAll(t, resp)
			require.Len(t, got, c.requests)
			for _, body := range got {
				require.Equal(t, text, body)
			}
		})
	}
}

// TestTheLastResponseIsReturned whatever keeps the next attempt from being made.
func TestTheLastResponseIsReturned(t *testing.T) {
	patient := &retry.Policy{MaxAttempts: 3, BaseDelay: time.Hour, MaxDelay: time.Hour, Jitter: retry.NoJitter}
	for _, c := range []struct {
		name string
		cfg  engine.Config
		ctx  func(*testing.T) context.Context
		do   func(*engine.Engine) // while the engine waits
	}{
		{name: "no retries", cfg: engine.Config{}},
		{name: "retries used up", cfg: engine.Config{Retry: &retry.Policy{MaxAttempts: 1}}},
		{name: "the breaker has opened", cfg: engine.Config{Retry: thrice, Breaker: &breaker.Policy{FailureThreshold: 1}}},
		{name: "the limiter refuses", cfg: engine.Config{
			Retry: thrice, Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}, MaxWait: engine.NoWait,
		}},
		{
			name: "the engine is closed", cfg: engine.Config{Retry: patient},
			do: func(eng *engine.Engine) { _ = eng.Close(context.Background()) },
		},
		{
			name: "no time for another", cfg: engine.Config{Retry: patient},
			ctx: func(t *testing.T) context.Context {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				t.Cleanup(cancel)
				return ctx
			},
		},
	} {
		for _, timeout := range []time.Duration{0, time.Minute} {
			t.Run(fmt.Sprintf("%s/timeout=%v", c.name, timeout), func(t *testing.T) {
				answered := make(chan struct{})
				u := startUpstream(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusServiceUnavailable) })
				eng := transportEngine(t, c.cfg)
				client, tr := u.guarded(eng)
				tr.AttemptTimeout = timeout
				tr.Retryable = func(*http.Request, *http.Response, error) bool { close(answered); return true }
				if c.do != nil {
					go func() { <-answered; c.do(eng) }() // ends with the request
				}
				req := newRequest(t, "GET", u.URL, nil)
				if c.ctx != nil {
					req = req.WithContext(c.ctx(t))
				}
				resp, err := client.Do(req)
				require.NoError(t, err)
				require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
				require.Equal(t, "answer 503", readAll(t, resp))
				require.EqualValues(t, 1, u.requests.Load())
			})
		}
	}
}

// TestARefusalIsARejection through everything that an http.Client wraps around it.
func TestARefusalIsARejection(t *testing.T) {
	u := startUpstream(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK) })
	eng := transportEngine(t, engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 1, RefillRate: limiter.Per(1, time.Hour)}, MaxWait: engine.NoWait, Retry: thrice,
	})
	client, _ := u.guarded(eng)
	resp, err := client.Get(u.URL)
	require.NoError(t, err)
	readAll(t, resp)

	body := &closeCounter{Reader: strings.NewReader("x")}
	_, err = client.Do(newRequest(t, "PUT", u.URL, body))
	var rejection *engine.Rejection
	require.ErrorAs(t, err, &rejection)
	require.ErrorIs(t, err, limiter.ErrLimited)
	require.Equal(t, u.host(), rejection.Key)
	require.Greater(t, rejection.RetryAfter(), 59*time.Minute)
	require.EqualValues(t, 1, body.closed.Load(), "a request's body is closed, whatever happens")
	require.EqualValues(t, 1, u.requests.Load())
}

func TestKeys(t *testing.T) {
	answer := transportFunc(func(r *http.Request) (*http.Response, error) {
		status := http.StatusOK
		if r.URL.Hostname() == "down.example" {
			status = http.StatusInternalServerError
		}
		return &http.Response{StatusCode: status, Body: http.NoBody}, nil
	})
	eng := transportEngine(t, engine.Config{Breaker: &breaker.Policy{FailureThreshold: 1}})
	tr := &enginehttp.Transport{Engine: eng, Base: answer}
	get := func(url string) error {
		resp, err := tr.RoundTrip(newRequest(t, "GET", url, nil))
		if err == nil {
			readAll(t, resp)
		}
		return err
	}
	require.NoError(t, get("http://down.example/a"))
	require.ErrorIs(t, get("https://DOWN.example/b"), breaker.ErrOpen, "the host in lower case")
	require.NoError(t, get("http://down.example:8080/"), "a port is another key")
	require.NoError(t, get("http://up.example/"), "one bad host is no trouble of others")

	tr.Key = func(r *http.Request) string { return r.Header.Get("X-Tenant") + r.URL.Path }
	require.NoError(t, get("http://down.example/tenant"))
	require.ErrorIs(t, get("http://up.example/tenant"), breaker.ErrOpen)

	tr.Key, tr.Base = nil, &http.Transport{}
	_, err := tr.RoundTrip(&http.Request{})
	require.ErrorContains(t, err, "nil Request.URL", "which is for Base to refuse")
}
