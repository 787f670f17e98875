package enginehttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/retry"
)

// step is what Base does at one attempt.
type step func() (*http.Response, error)

func replies(status int) step {
	return func() (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody}, nil
	}
}

var (
	errReset       = errors.New("connection reset")
	fails     step = func() (*http.Response, error) { return nil, errReset }
	panics    step = func() (*http.Response, error) { panic("fault") }
	exits     step = func() (*http.Response, error) { runtime.Goexit(); return nil, nil }
	neither   step = func() (*http.Response, error) { return nil, nil }
	both      step = func() (*http.Response, error) { resp, _ := replies(200)(); return resp, errReset }
	muchLater step = func() (*http.Response, error) {
		resp, err := replies(503)()
		resp.Header.Set("Retry-After", "3600")
		return resp, err
	}
)

// stepping returns a Base that goes through steps.
func stepping(steps ...step) http.RoundTripper {
	return transportFunc(func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		now := steps[0]
		steps = steps[1:]
		return now()
	})
}

// TestStatsOfATransport: the request counts once, and each attempt once, whichever way the request takes.
func TestStatsOfATransport(t *testing.T) {
	for name, row := range map[string]struct {
		steps []step
		want  enginehttp.TransportStats
	}{
		"101":           {[]step{replies(101)}, enginehttp.TransportStats{Status1xx: 1, Attempts1xx: 1}},
		"200":           {[]step{replies(200)}, enginehttp.TransportStats{Status2xx: 1, Attempts2xx: 1}},
		"301":           {[]step{replies(301)}, enginehttp.TransportStats{Status3xx: 1, Attempts3xx: 1}},
		"404":           {[]step{replies(404)}, enginehttp.TransportStats{Status4xx: 1, Attempts4xx: 1}},
		"500":           {[]step{replies(500)}, enginehttp.TransportStats{Status5xx: 1, Attempts5xx: 1}},
		"0":             {[]step{replies(0)}, enginehttp.TransportStats{Status5xx: 1, Attempts5xx: 1}},
		"99":            {[]step{replies(99)}, enginehttp.TransportStats{Status5xx: 1, Attempts5xx: 1}},
		"600":           {[]step{replies(600)}, enginehttp.TransportStats{Status5xx: 1, Attempts5xx: 1}},
		"-200":          {[]step{replies(-200)}, enginehttp.TransportStats{Status5xx: 1, Attempts5xx: 1}},
		"third time":    {[]step{replies(503), fails, replies(204)}, enginehttp.TransportStats{Status2xx: 1, Attempts5xx: 1, AttemptsFailed: 1, Attempts2xx: 1}},
		"used up":       {[]step{replies(429), replies(503), replies(429)}, enginehttp.TransportStats{Status4xx: 1, Attempts4xx: 2, Attempts5xx: 1}},
		"errors":        {[]step{fails, fails, fails}, enginehttp.TransportStats{Failed: 1, AttemptsFailed: 3}},
		"error at last": {[]step{replies(503), replies(503), fails}, enginehttp.TransportStats{Failed: 1, Attempts5xx: 2, AttemptsFailed: 1}},
		"much later":    {[]step{muchLater}, enginehttp.TransportStats{Status5xx: 1, Attempts5xx: 1}},
		"neither":       {[]step{neither, replies(200)}, enginehttp.TransportStats{Status2xx: 1, AttemptsFailed: 1, Attempts2xx: 1}},
		"both":          {[]step{both, both, both}, enginehttp.TransportStats{Failed: 1, AttemptsFailed: 3}},
		"panic":         {[]step{panics}, enginehttp.TransportStats{Aborted: 1, AttemptsAborted: 1}},
		"late panic":    {[]step{replies(503), panics}, enginehttp.TransportStats{Aborted: 1, Attempts5xx: 1, AttemptsAborted: 1}},
		"Goexit":        {[]step{fails, exits}, enginehttp.TransportStats{Aborted: 1, AttemptsFailed: 1, AttemptsAborted: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
			chain := func(*http.Request) (engine.Key, error) { return eng.Key("k"), nil }
			for _, method := range []string{http.MethodGet, http.MethodPut} {
				for _, tr := range []*enginehttp.Transport{
					{Engine: eng, Base: stepping(row.steps...)},
					{Chain: chain, Base: stepping(row.steps...), AttemptTimeout: time.Minute},
				} {
					require.Zero(t, tr.Stats())
					ended(func() { _, _ = roundTrip(t, tr, method) })
					require.Equal(t, row.want, tr.Stats(), method)
				}
			}
		})
	}
}

// TestStatsOfATransportThatSendsNothing, or nothing more.
func TestStatsOfATransportThatSendsNothing(t *testing.T) {
	open := &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Hour}
	for name, row := range map[string]struct {
		cfg    engine.Config
		before func(t *testing.T, tr *enginehttp.Transport, r *http.Request) *http.Request
		want   enginehttp.TransportStats
	}{
		"limited": {anHourLeft(), func(_ *testing.T, tr *enginehttp.Transport, r *http.Request) *http.Request {
			tr.Engine.Allow("host")
			return r
		}, enginehttp.TransportStats{Limited: 1}},
		"limited at the second attempt": {
			engine.Config{Limiter: anHourLeft().Limiter, MaxWait: engine.NoWait, Retry: thrice}, nil,
			enginehttp.TransportStats{Status5xx: 1, Attempts5xx: 1},
		},
		"open": {engine.Config{Breaker: open}, func(t *testing.T, tr *enginehttp.Transport, r *http.Request) *http.Request {
			require.Error(t, tr.Engine.Run(t.Context(), "host", func(context.Context) error { return errReset }))
			return r
		}, enginehttp.TransportStats{Unavailable: 1}},
		"closed": {engine.Config{}, func(t *testing.T, tr *enginehttp.Transport, r *http.Request) *http.Request {
			require.NoError(t, tr.Engine.Close(t.Context()))
			return r
		}, enginehttp.TransportStats{Unavailable: 1}},
		"gave up": {anHourLeft(), func(t *testing.T, _ *enginehttp.Transport, r *http.Request) *http.Request {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return r.WithContext(ctx)
		}, enginehttp.TransportStats{GaveUp: 1}},
		"no body for another attempt": {engine.Config{Retry: thrice}, func(_ *testing.T, tr *enginehttp.Transport, r *http.Request) *http.Request {
			tr.Base = stepping(fails)
			setBody(r, 4, "body")
			r.GetBody = func() (io.ReadCloser, error) { return nil, errReset }
			return r
		}, enginehttp.TransportStats{Failed: 1, AttemptsFailed: 1}},
		"invalid field": {engine.Config{}, func(_ *testing.T, tr *enginehttp.Transport, r *http.Request) *http.Request {
			tr.AttemptTimeout = -1
			return r
		}, enginehttp.TransportStats{Invalid: 1}},
		"invalid configuration": {engine.Config{Classify: func(error) engine.Outcome { return engine.Success }}, nil, enginehttp.TransportStats{Invalid: 1}},
		"error of Chain": {engine.Config{}, func(_ *testing.T, tr *enginehttp.Transport, r *http.Request) *http.Request {
			tr.Engine, tr.Chain = nil, func(*http.Request) (engine.Key, error) { return engine.Key{}, context.Canceled }
			return r
		}, enginehttp.TransportStats{Invalid: 1}},
		"an engine twice": {engine.Config{}, func(_ *testing.T, tr *enginehttp.Transport, r *http.Request) *http.Request {
			key := tr.Engine.Key("k")
			tr.Engine, tr.Chain = nil, func(*http.Request) (engine.Key, error) { return engine.Chain(key, key), nil }
			return r
		}, enginehttp.TransportStats{Invalid: 1}},
		"Key panics": {engine.Config{}, func(_ *testing.T, tr *enginehttp.Transport, r *http.Request) *http.Request {
			tr.Key = func(*http.Request) string { panic("fault") }
			return r
		}, enginehttp.TransportStats{Aborted: 1}},
		"Classify panics": {engine.Config{}, func(_ *testing.T, tr *enginehttp.Transport, r *http.Request) *http.Request {
			tr.Classify = func(*http.Response, error) engine.Outcome { panic("fault") }
			return r
		}, enginehttp.TransportStats{Aborted: 1, Attempts5xx: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, body := range []bool{false, true} {
				tr := &enginehttp.Transport{Engine: transportEngine(t, row.cfg), Base: stepping(replies(503))}
				r := newRequest(t, http.MethodPut, "http://host/", nil)
				if body { // of a client that has yet to send it
					setBody(r, 4, "body")
					r.Body = &closeCounter{Reader: r.Body}
				}
				if row.before != nil {
					r = row.before(t, tr, r)
				}
				ended(func() {
					if resp, err := tr.RoundTrip(r); err == nil {
						_ = resp.Body.Close()
					}
				})
				require.Equal(t, row.want, tr.Stats(), "body: %v", body)
			}
		})
	}
}

// TestARequestIsInFlightUntilRoundTripEnds, in the queue and between attempts too, but not while its response is read.
func TestARequestIsInFlightUntilRoundTripEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan int)
		tr := &enginehttp.Transport{
			Engine: transportEngine(t, engine.Config{Limiter: oneIn(time.Minute).Limiter, Retry: thrice}),
			Base:   transportFunc(func(*http.Request) (*http.Response, error) { return replies(<-release)() }),
		}
		go func() { _, _ = roundTrip(t, tr, http.MethodGet) }()
		synctest.Wait() // in the attempt
		require.Equal(t, enginehttp.TransportStats{InFlight: 1}, tr.Stats())
		release <- http.StatusServiceUnavailable
		synctest.Wait() // in the queue
		require.Equal(t, enginehttp.TransportStats{InFlight: 1, Attempts5xx: 1}, tr.Stats())
		release <- http.StatusOK
		synctest.Wait()
		require.Equal(t, enginehttp.TransportStats{Status2xx: 1, Attempts5xx: 1, Attempts2xx: 1}, tr.Stats())
	})
}

// TestACallerThatLeavesBetweenAttempts gets no response, although there was one.
func TestACallerThatLeavesBetweenAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &retry.Policy{MaxAttempts: 3, BaseDelay: time.Hour, MaxDelay: time.Hour, Jitter: retry.NoJitter}
		tr := &enginehttp.Transport{Engine: transportEngine(t, engine.Config{Retry: slow}), Base: stepping(replies(503))}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		_, err := tr.RoundTrip(newRequest(t, http.MethodGet, "http://host/", nil).WithContext(ctx)) //nolint:bodyclose // there is none
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, enginehttp.TransportStats{Failed: 1, Attempts5xx: 1}, tr.Stats())
	})
}

// TestAProbeWithABodyCountsOnce, whether the engine lets the probe pass or has sent another.
func TestAProbeWithABodyCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := engine.Config{Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Second}, Retry: thrice}
		eng := transportEngine(t, cfg)
		tr := &enginehttp.Transport{
			Chain: func(*http.Request) (engine.Key, error) { return eng.Key("k"), nil }, // its breakers are asked by a Run
			Base:  stepping(replies(500), replies(200)),
		}
		for _, pause := range []time.Duration{0, 0, 2 * time.Second} {
			time.Sleep(pause)
			r := newRequest(t, http.MethodPut, "http://host/", nil)
			setBody(r, 4, "body")
			r.Body = &closeCounter{Reader: r.Body}
			if resp, err := tr.RoundTrip(r); err == nil {
				require.NoError(t, resp.Body.Close())
			}
		}
		require.Equal(t, enginehttp.TransportStats{
			Status5xx: 1, Unavailable: 1, Status2xx: 1, Attempts5xx: 1, Attempts2xx: 1,
		}, tr.Stats())
	})
}

// TestStatsOfAClient: over sockets, with hints before the answer, a redirect, a server that hangs up, and a caller that leaves.
func TestStatsOfAClient(t *testing.T) {
	eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
		arrived := make(chan struct{})
		srv := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // or the server does not see the caller leave
			switch r.URL.Path {
			case "/hints":
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusNoContent)
			case "/redirect":
				http.Redirect(w, r, "/missing", http.StatusSeeOther)
			case "/abort":
				panic(http.ErrAbortHandler)
			case "/late":
				_, _ = w.Write(make([]byte, 1<<10))
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			case "/patient":
				arrived <- struct{}{}
				<-r.Context().Done()
			default:
				w.WriteHeader(http.StatusNotFound)
			}
		}))
		tr := &enginehttp.Transport{Engine: transportEngine(t, engine.Config{}), Base: srv.Client().Transport}
		client := &http.Client{Transport: tr}
		post := func(ctx context.Context, path string) error {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+path, strings.NewReader("body"))
			require.NoError(t, err)
			resp, err := client.Do(r)
			if err == nil {
				err = resp.Body.Close()
			}
			return err
		}
		require.NoError(t, post(t.Context(), "/hints"))
		require.NoError(t, post(t.Context(), "/redirect"))
		require.Error(t, post(t.Context(), "/abort"))
		require.NoError(t, post(t.Context(), "/late"))
		want := enginehttp.TransportStats{
			Status2xx: 2, Status3xx: 1, Status4xx: 1, Failed: 1,
			Attempts2xx: 2, Attempts3xx: 1, Attempts4xx: 1, AttemptsFailed: 1,
		}
		require.Equal(t, want, tr.Stats())
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() { left <- post(ctx, "/patient") }()
		<-arrived
		leave()
		require.ErrorIs(t, <-left, context.Canceled)
		want.Failed++
		want.AttemptsFailed++
		require.Equal(t, want, tr.Stats())
	})
}
