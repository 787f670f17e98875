package enginehttp_test

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/retry"
)

// dateIn is a date on the system's clock, as HTTP writes it.
func dateIn(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }

// TestRetryAfterIsAFloor, up to a bound, beyond which the response is returned at once.
func TestRetryAfterIsAFloor(t *testing.T) {
	seconds := func(n int) func() string { return func() string { return strconv.Itoa(n) } }
	in := func(d time.Duration) func() string { return func() string { return dateIn(d) } }
	for _, c := range []struct {
		name     string
		status   int
		advice   func() string // asked inside the bubble
		longest  time.Duration // MaxRetryAfter
		maxDelay time.Duration
		took     time.Duration // 0: not tried again
	}{
		{"none", 503, func() string { return "" }, 0, time.Hour, time.Second},
		{"seconds on 503", 503, seconds(20), 0, time.Hour, 20 * time.Second},
		{"seconds on 429", 429, seconds(20), 0, time.Hour, 20 * time.Second},
		{"seconds on 408", 408, seconds(20), 0, time.Hour, 20 * time.Second},
		{"seconds on 502", 502, seconds(20), 0, time.Hour, 20 * time.Second},
		{"seconds on 504", 504, seconds(20), 0, time.Hour, 20 * time.Second},
		{"a date", 503, in(20 * time.Second), 0, time.Hour, 20 * time.Second},
		{"a date that has passed", 503, in(-20 * time.Second), 0, time.Hour, time.Second},
		{"less than the backoff", 503, seconds(0), 0, time.Hour, time.Second},
		{"garbage", 503, func() string { return "soon" }, 0, time.Hour, time.Second},
		{"a minute", 503, seconds(60), 0, time.Hour, time.Minute},
		{"more than a minute", 503, seconds(61), 0, time.Hour, 0},
		{"a date in more than a minute", 503, in(61 * time.Second), 0, time.Hour, 0},
		{"more, and allowed", 503, seconds(600), 10 * time.Minute, time.Hour, 10 * time.Minute},
		{"more than is allowed", 503, seconds(601), 10 * time.Minute, time.Hour, 0},
		{"a bound below a second", 503, seconds(1), time.Millisecond, time.Hour, 0},
		{"more than MaxDelay", 503, seconds(20), 0, 10 * time.Second, 0},
		{"far too much", 429, func() string { return "99999999999999999999999" }, math.MaxInt64, time.Hour, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				policy := &retry.Policy{MaxAttempts: 2, BaseDelay: time.Second, MaxDelay: c.maxDelay, Jitter: retry.NoJitter}
				tr, base := scripted(t, engine.Config{Retry: policy}, c.status, 200)
				tr.MaxRetryAfter = c.longest
				base.responses[0].Header.Set("Retry-After", c.advice())
				begun := time.Now()
				resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
				require.NoError(t, err)
				require.Equal(t, c.took, time.Since(begun))
				require.Equal(t, map[bool]int{true: c.status, false: 200}[c.took == 0], resp.StatusCode)
				require.Equal(t, "text", readAll(t, resp))
			})
		})
	}
}

// TestAdviceThatPassesTheDeadline has the response returned at once, and not an error later.
func TestAdviceThatPassesTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := &retry.Policy{MaxAttempts: 2, BaseDelay: time.Second, MaxDelay: time.Hour, Jitter: retry.NoJitter}
		tr, base := scripted(t, engine.Config{Retry: policy}, 503, 200)
		base.responses[0].Header.Set("Retry-After", "20")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		begun := time.Now()
		resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil).WithContext(ctx))
		require.NoError(t, err)
		require.Zero(t, time.Since(begun))
		require.Equal(t, "text", readAll(t, resp))
	})
}

func TestTheBackoffIsTheEngines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := &retry.Policy{MaxAttempts: 4, BaseDelay: time.Second, MaxDelay: time.Minute, Jitter: retry.NoJitter}
		tr, _ := scripted(t, engine.Config{Retry: policy}, 503, 0, 429, 504)
		begun := time.Now()
		resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
		require.NoError(t, err)
		require.Equal(t, (1+2+4)*time.Second, time.Since(begun))
		require.Equal(t, 504, resp.StatusCode)
		require.Equal(t, "text", readAll(t, resp))
	})
}

// TestACallerWhoLeavesGetsTheContextsError, with what the last attempt came to, and the response that was there is closed.
func TestACallerWhoLeavesGetsTheContextsError(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
	}{{"after a response", 503}, {"after an error", 0}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, base := scripted(t, engine.Config{Retry: hourly, Breaker: counting}, c.status)
				audit := &auditBase{RoundTripper: base}
				tr.Base = audit
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(30*time.Second, cancel)
				client := &http.Client{Transport: tr}
				begun := time.Now()
				resp, err := client.Do(newRequest(t, "GET", "http://h/", nil).WithContext(ctx))
				require.Nil(t, resp)
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorContains(t, err, map[int]string{503: "503 Service Unavailable", 0: "connection reset"}[c.status])
				require.False(t, err.(*url.Error).Timeout())
				require.Equal(t, 30*time.Second, time.Since(begun))
				require.Equal(t, audit.opened.Load(), audit.closed.Load())
				require.Equal(t, 1, failuresOf(t, tr.Engine, "h"), "of the attempt, and not of the wait")
			})
		})
	}
}

// TestAnEndedWaitIsATimeout for a *url.Error, if it is one for the context.
func TestAnEndedWaitIsATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, _ := scripted(t, engine.Config{Retry: hourly}, 503)
		ctx := &lateContext{Context: t.Context(), done: make(chan struct{})}
		time.AfterFunc(time.Minute, func() { close(ctx.done) })
		client := &http.Client{Transport: tr}
		_, err := client.Do(newRequest(t, "GET", "http://h/", nil).WithContext(ctx))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, err.(*url.Error).Timeout())
	})
}

// lateContext ends as if a deadline had passed that it did not tell of, so that nobody could foresee it.
type lateContext struct {
	context.Context
	done chan struct{}
}

func (c *lateContext) Done() <-chan struct{} { return c.done }

func (c *lateContext) Err() error {
	select {
	case <-c.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}
