package enginehttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// TestClassifyDecidesTheBlame of every attempt, and nothing else: what is tried again is for Retryable.
func TestClassifyDecidesTheBlame(t *testing.T) {
	errReset := errors.New("connection reset")
	for _, c := range []struct {
		name  string
		resp  *http.Response
		err   error
		tries int
	}{
		{"200", &http.Response{StatusCode: 200}, nil, 1},
		{"404", &http.Response{StatusCode: 404}, nil, 1},
		{"500", &http.Response{StatusCode: 500}, nil, 1},
		{"503", &http.Response{StatusCode: 503}, nil, 3},
		{"429", &http.Response{StatusCode: 429}, nil, 3},
		{"error", nil, errReset, 3},
		{"mistake", nil, errors.New("http: no Host in request URL"), 1},
	} {
		for outcome, failures := range map[engine.Outcome]int{engine.Success: 0, engine.Ignore: 1, engine.Failure: 1 + c.tries} {
			t.Run(fmt.Sprint(c.name, " ", outcome), func(t *testing.T) {
				asked := 0
				eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
				first := true
				tr := &enginehttp.Transport{
					Engine: eng,
					Base: transportFunc(func(*http.Request) (*http.Response, error) {
						if first {
							first = false
							return &http.Response{StatusCode: 500, Body: http.NoBody}, nil
						}
						return c.resp, c.err
					}),
					Classify: func(resp *http.Response, err error) engine.Outcome {
						if asked++; asked == 1 {
							return engine.Failure
						}
						require.True(t, resp == c.resp)
						require.ErrorIs(t, err, c.err)
						return outcome
					},
				}
				_, err := tr.RoundTrip(newRequest(t, "POST", "http://h/", nil))
				require.NoError(t, err)
				resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
				require.True(t, resp == c.resp)
				require.ErrorIs(t, err, c.err)
				require.Equal(t, 1+c.tries, asked)
				require.Equal(t, failures, failuresOf(t, eng, "h"))
			})
		}
	}
}

// TestClassifySeesWhatTheAttemptHasFound: DefaultClassify knows of a body that failed, whatever its error.
func TestClassifySeesWhatTheAttemptHasFound(t *testing.T) {
	eng := transportEngine(t, engine.Config{Breaker: counting})
	var seen error
	tr := &enginehttp.Transport{
		Engine: eng,
		Base: transportFunc(func(r *http.Request) (*http.Response, error) {
			_, err := io.Copy(io.Discard, r.Body)
			return nil, err
		}),
		Classify: func(resp *http.Response, err error) engine.Outcome {
			seen = err
			return enginehttp.DefaultClassify(resp, err)
		},
	}
	_, err := tr.RoundTrip(newRequest(t, "PUT", "http://h/", &brokenReader{"abc", errDiskGone}))
	require.Equal(t, errDiskGone, err)
	require.ErrorIs(t, seen, errDiskGone)
	require.Zero(t, failuresOf(t, eng, "h"))
	require.Equal(t, engine.Failure, enginehttp.DefaultClassify(nil, errDiskGone), "which says nothing by itself")
}

// TestClassifyAndTheCaller: a caller that leaves is no failure, and a deadline is what Classify says that it is.
func TestClassifyAndTheCaller(t *testing.T) {
	for _, outcome := range []engine.Outcome{engine.Ignore, engine.Failure} {
		for _, leaves := range []bool{true, false} {
			t.Run(fmt.Sprint(outcome, leaves), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					eng := transportEngine(t, engine.Config{Breaker: counting})
					tr := &enginehttp.Transport{
						Engine: eng,
						Base: transportFunc(func(r *http.Request) (*http.Response, error) {
							<-r.Context().Done()
							return nil, r.Context().Err()
						}),
						Classify: func(*http.Response, error) engine.Outcome { return outcome },
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					if leaves {
						time.AfterFunc(time.Millisecond, cancel)
					}
					_, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil).WithContext(ctx))
					require.Error(t, err)
					want := 0
					if outcome == engine.Failure && !leaves {
						want = 1
					}
					require.Equal(t, want, failuresOf(t, eng, "h"))
				})
			})
		}
	}
}

// TestAPanicInClassifyPasses, is a failure, and leaves nothing open.
func TestAPanicInClassifyPasses(t *testing.T) {
	for name, body := range map[string]func() io.Reader{
		"whole": func() io.Reader { return strings.NewReader("x") }, "stream": func() io.Reader { return io.MultiReader(strings.NewReader("x")) },
	} {
		t.Run(name, func(t *testing.T) {
			u := startUpstream(t, swallow)
			eng := transportEngine(t, engine.Config{Breaker: counting})
			_, tr := u.guarded(eng)
			audit := &auditBase{RoundTripper: tr.Base}
			tr.Base = audit
			tr.Classify = func(*http.Response, error) engine.Outcome { panic("fault") }
			require.PanicsWithValue(t, "fault", func() { _, _ = tr.RoundTrip(newRequest(t, "POST", u.URL, body())) })
			require.EqualValues(t, 1, audit.opened.Load())
			require.EqualValues(t, 1, audit.closed.Load())
			require.Equal(t, 1, failuresOf(t, eng, u.host()))
		})
	}
}

// TestABaseThatAsksTheSameHost, for a token say, does so under the probe that it is part of.
func TestABaseThatAsksTheSameHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := http.StatusInternalServerError
		eng := transportEngine(t, engine.Config{Breaker: recovering})
		host := transportFunc(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: http.NoBody}, nil
		})
		inner := &enginehttp.Transport{Engine: eng, Base: host}
		tr := &enginehttp.Transport{Engine: eng, Base: transportFunc(func(r *http.Request) (*http.Response, error) {
			if _, err := inner.RoundTrip(newRequest(t, "POST", "http://h/token", nil).WithContext(r.Context())); err != nil {
				return nil, err
			}
			return host.RoundTrip(r)
		})}
		require.NoError(t, get(t, inner))
		time.Sleep(time.Second)
		status = http.StatusOK
		require.NoError(t, get(t, tr))
		s, _ := eng.Inspect("h")
		require.Equal(t, breaker.Closed, s.Breaker)
	})
}
