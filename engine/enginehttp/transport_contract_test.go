package enginehttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// TestTheRequestIsNotChanged, nor shown to anybody in another form than it has.
func TestTheRequestIsNotChanged(t *testing.T) {
	u := startUpstream(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		respond(w, http.StatusServiceUnavailable)
	})
	for _, timeout := range []time.Duration{0, time.Minute} {
		_, tr := u.guarded(transportEngine(t, engine.Config{Retry: thrice}))
		tr.AttemptTimeout = timeout
		req := newRequest(t, "PUT", u.URL, strings.NewReader("body"))
		req.Header.Set("X-One", "1")
		body, header, ctx, before := req.Body, req.Header.Clone(), req.Context(), fmt.Sprintf("%p", req.GetBody)
		resp, err := tr.RoundTrip(req)
		require.NoError(t, err)
		readAll(t, resp)
		require.True(t, body == req.Body)
		require.Equal(t, header, req.Header)
		require.True(t, ctx == req.Context())
		require.Equal(t, before, fmt.Sprintf("%p", req.GetBody))
		require.Same(t, req, resp.Request, "and not a copy, whose context would end with the attempt")
	}
}

// TestABodyThatCannotBeHadAgain leaves the response that is there, or the error.
func TestABodyThatCannotBeHadAgain(t *testing.T) {
	errGone, errDown := errors.New("file is gone"), errors.New("connection refused")
	for _, c := range []struct {
		name string
		resp *http.Response
	}{
		{"after a response", &http.Response{StatusCode: 503, Body: io.NopCloser(strings.NewReader("busy"))}},
		{"after an error", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			sent, asked := 0, 0
			eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
			tr := &enginehttp.Transport{Engine: eng, Base: transportFunc(func(*http.Request) (*http.Response, error) {
				sent++
				if c.resp != nil {
					return c.resp, nil
				}
				return nil, errDown
			})}
			req := newRequest(t, "PUT", "http://h/", strings.NewReader("x"))
			req.GetBody = func() (io.ReadCloser, error) { asked++; return nil, errGone }
			resp, err := tr.RoundTrip(req)
			if c.resp != nil {
				require.NoError(t, err)
				require.Equal(t, "busy", readAll(t, resp))
			} else {
				require.ErrorIs(t, err, errGone)
				require.ErrorIs(t, err, errDown)
			}
			require.Equal(t, 1, sent)
			require.Equal(t, 1, asked, "nor is it asked for again")
			require.Equal(t, 1, failuresOf(t, eng, "h"), "what ails the body is not the server's failure")
		})
	}
}

// TestABaseThatBreaksItsContract is not made worse.
func TestABaseThatBreaksItsContract(t *testing.T) {
	eng := transportEngine(t, engine.Config{Retry: thrice})
	body := &closeCounter{Reader: strings.NewReader("x")}
	for name, base := range map[string]transportFunc{
		"neither": func(*http.Request) (*http.Response, error) { return nil, nil },
		"both": func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: body}, io.ErrUnexpectedEOF
		},
		"no body": func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 503}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			tr := &enginehttp.Transport{Engine: eng, Base: base, AttemptTimeout: time.Minute}
			resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
			require.Equal(t, err == nil, resp != nil)
			require.Equal(t, name == "no body", err == nil)
		})
	}
	require.EqualValues(t, 3, body.closed.Load())
}

// TestPanicsPass, count as failures, and leave nothing open.
func TestPanicsPass(t *testing.T) {
	u := startUpstream(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusServiceUnavailable) })
	for name, fault := range map[string]func(*enginehttp.Transport){
		"in Base": func(tr *enginehttp.Transport) {
			tr.Base = transportFunc(func(*http.Request) (*http.Response, error) { panic("fault") })
		},
		"in Retryable": func(tr *enginehttp.Transport) {
			tr.Retryable = func(*http.Request, *http.Response, error) bool { panic("fault") }
		},
		"in Key": func(tr *enginehttp.Transport) { tr.Key = func(*http.Request) string { panic("fault") } },
	} {
		t.Run(name, func(t *testing.T) {
			eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
			_, tr := u.guarded(eng)
			audit := &auditBase{RoundTripper: tr.Base}
			var ctx context.Context
			tr.Base, tr.AttemptTimeout = audit, time.Hour
			fault(tr)
			base := tr.Base
			tr.Base = transportFunc(func(r *http.Request) (*http.Response, error) { ctx = r.Context(); return base.RoundTrip(r) })
			body := &closeCounter{Reader: strings.NewReader("x")}
			req := newRequest(t, "PUT", u.URL, body)
			req.GetBody = func() (io.ReadCloser, error) { return body, nil }
			require.PanicsWithValue(t, "fault", func() { _, _ = tr.RoundTrip(req) })
			require.Equal(t, audit.opened.Load(), audit.closed.Load())
			if name == "in Key" {
				require.EqualValues(t, 1, body.closed.Load())
				return
			}
			require.ErrorIs(t, ctx.Err(), context.Canceled)
			require.Equal(t, 1, failuresOf(t, eng, u.host()))
		})
	}
}

func TestGoexitPasses(t *testing.T) {
	eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
	var ctx context.Context
	tr := &enginehttp.Transport{Engine: eng, AttemptTimeout: time.Hour, Base: transportFunc(func(r *http.Request) (*http.Response, error) {
		ctx = r.Context()
		runtime.Goexit()
		return nil, nil
	})}
	req := newRequest(t, "GET", "http://h/", nil)
	returned := false
	done := make(chan struct{})
	go func() { // ends in Base
		defer close(done)
		_, _ = tr.RoundTrip(req)
		returned = true
	}()
	<-done
	require.False(t, returned)
	require.ErrorIs(t, ctx.Err(), context.Canceled)
	require.Equal(t, 1, failuresOf(t, eng, "h"))
}

func TestAContextThatHasEndedSendsNothing(t *testing.T) {
	base := transportFunc(func(*http.Request) (*http.Response, error) { t.Error("sent"); return nil, io.EOF })
	eng := transportEngine(t, engine.Config{Retry: thrice})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := &closeCounter{Reader: strings.NewReader("x")}
	_, err := (&enginehttp.Transport{Engine: eng, Base: base}).RoundTrip(
		newRequest(t, "PUT", "http://h/", body).WithContext(ctx))
	require.Equal(t, context.Canceled, err)
	require.EqualValues(t, 1, body.closed.Load())
}

func TestInvalidFieldsAreNamed(t *testing.T) {
	eng := transportEngine(t, engine.Config{})
	for field, tr := range map[string]*enginehttp.Transport{
		"Transport.Engine":         {},
		"Transport.AttemptTimeout": {Engine: eng, AttemptTimeout: -1},
		"Transport.MaxRetryAfter":  {Engine: eng, MaxRetryAfter: -1},
		"Classify": {Engine: transportEngine(t, engine.Config{
			Retry: thrice, Classify: func(error) engine.Outcome { return engine.Ignore },
		})},
	} {
		for range 2 { // not only the first request
			tr.Base = transportFunc(func(*http.Request) (*http.Response, error) { t.Error("sent"); return nil, io.EOF })
			body := &closeCounter{Reader: strings.NewReader("x")}
			_, err := tr.RoundTrip(newRequest(t, "PUT", "http://h/", body))
			var invalid *engine.ConfigError
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, field, invalid.Field)
			require.EqualValues(t, 1, body.closed.Load())
		}
	}
}

// TestAnotherEngine in the place of one that a Transport could not honour is looked at anew.
func TestAnotherEngine(t *testing.T) {
	tr := &enginehttp.Transport{
		Engine: transportEngine(t, engine.Config{Classify: func(error) engine.Outcome { return engine.Ignore }}),
		Base:   transportFunc(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 200}, nil }),
	}
	_, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
	require.Error(t, err)
	tr.Engine = transportEngine(t, engine.Config{})
	_, err = tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
	require.NoError(t, err)
}
