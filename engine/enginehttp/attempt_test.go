package enginehttp_test

import (
	"context"
	"errors"
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

// scriptedBase answers with one response after another, and keeps the contexts of the attempts.
type scriptedBase struct {
	responses []*http.Response
	contexts  []context.Context
}

func (b *scriptedBase) RoundTrip(r *http.Request) (*http.Response, error) {
	resp := b.responses[len(b.contexts)]
	b.contexts = append(b.contexts, r.Context())
	if resp.Body == nil {
		return nil, errors.New("connection reset")
	}
	return resp, nil
}

// contextBody can be read until its context has ended, like one from a connection.
type contextBody struct {
	io.Reader
	base *scriptedBase
	n    int // attempt that it is of
}

func (b *contextBody) Read(p []byte) (int, error) {
	if err := b.base.contexts[b.n].Err(); err != nil {
		return 0, err
	}
	return b.Reader.Read(p)
}

func (*contextBody) Close() error { return nil }

// scripted is a Transport, and its Base, that gives responses of these statuses; 0 is an error.
func scripted(t *testing.T, cfg engine.Config, statuses ...int) (*enginehttp.Transport, *scriptedBase) {
	base := &scriptedBase{}
	for i, status := range statuses {
		resp := &http.Response{StatusCode: status, Header: http.Header{}, ContentLength: 4}
		if status > 0 {
			resp.Body = &contextBody{strings.NewReader("text"), base, i}
		}
		base.responses = append(base.responses, resp)
	}
	return &enginehttp.Transport{Engine: transportEngine(t, cfg), Base: base, AttemptTimeout: time.Second}, base
}

// hourly waits an hour before each of two retries.
var hourly = &retry.Policy{MaxAttempts: 3, BaseDelay: time.Hour, Backoff: 1, MaxDelay: time.Hour, Jitter: retry.NoJitter}

// TestTheContextOfAnAttempt ends with the attempt or with the body of its response, and no earlier.
func TestTheContextOfAnAttempt(t *testing.T) {
	for name, c := range map[string]struct {
		finish func(t *testing.T, body io.ReadCloser)
		ended  error
	}{
		"close": {func(t *testing.T, body io.ReadCloser) { require.NoError(t, body.Close()) }, context.Canceled},
		"end": {func(t *testing.T, body io.ReadCloser) {
			text, err := io.ReadAll(body)
			require.NoError(t, err)
			require.Equal(t, "text", string(text))
		}, context.Canceled},
		"part":         {func(t *testing.T, body io.ReadCloser) { _, _ = body.Read(make([]byte, 3)) }, nil},
		"just in time": {func(*testing.T, io.ReadCloser) { time.Sleep(time.Second - 1); synctest.Wait() }, nil},
		"late":         {func(*testing.T, io.ReadCloser) { time.Sleep(time.Second); synctest.Wait() }, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, base := scripted(t, engine.Config{Retry: thrice}, 503, 0, 200)
				resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
				require.NoError(t, err)
				require.Equal(t, 200, resp.StatusCode)
				require.Equal(t, context.Canceled, base.contexts[0].Err(), "its response was discarded")
				require.Equal(t, context.Canceled, base.contexts[1].Err(), "it failed")
				ctx := base.contexts[2]
				require.NoError(t, ctx.Err())
				deadline, ok := ctx.Deadline()
				require.True(t, ok)
				require.Equal(t, time.Second, time.Until(deadline).Round(time.Millisecond))

				child, cancel := context.WithCancel(ctx)
				defer cancel()
				c.finish(t, resp.Body)
				require.Equal(t, c.ended, ctx.Err())
				require.Equal(t, c.ended != nil, child.Err() != nil)
				_, err = resp.Body.Read(make([]byte, 1))
				require.Equal(t, errors.Is(c.ended, context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded))
				require.NoError(t, resp.Body.Close())
				require.Error(t, ctx.Err())
			})
		})
	}
}

func TestAnAttemptHasNoMoreTimeThanItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, base := scripted(t, engine.Config{}, 200)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil).WithContext(ctx))
		require.NoError(t, err)
		got, _ := base.contexts[0].Deadline()
		want, _ := ctx.Deadline()
		require.Equal(t, want, got)
		<-ctx.Done()
		synctest.Wait() // it ends before its children do
		require.Equal(t, context.DeadlineExceeded, base.contexts[0].Err())
		_, err = resp.Body.Read(nil)
		require.Equal(t, context.DeadlineExceeded, err, "the caller's own deadline is not the attempt's")
		require.NoError(t, resp.Body.Close())
	})
}

// TestTheTimeOfAnAttemptStandsStillBetweenAttempts: a response that is kept for want of a better one can still be read, in the time that
// it had left.
func TestTheTimeOfAnAttemptStandsStillBetweenAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, base := scripted(t, engine.Config{Retry: hourly}, 503)
		time.AfterFunc(30*time.Minute, func() { require.NoError(t, tr.Engine.Close(context.Background())) })
		begun := time.Now()
		resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
		require.NoError(t, err)
		require.Equal(t, 30*time.Minute, time.Since(begun))
		require.NoError(t, base.contexts[0].Err())
		n, err := resp.Body.Read(make([]byte, 4))
		require.NoError(t, err)
		require.Equal(t, 4, n)
		time.Sleep(time.Second - 1)
		synctest.Wait()
		require.NoError(t, base.contexts[0].Err())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Equal(t, context.DeadlineExceeded, base.contexts[0].Err())
		require.NoError(t, resp.Body.Close())
	})
}

// TestAResponseWithoutABodyEndsItsAttempt at once, and the body stays what it is.
func TestAResponseWithoutABodyEndsItsAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, base := scripted(t, engine.Config{Retry: thrice}, 503, 204)
		base.responses[0].Body, base.responses[1].Body = http.NoBody, http.NoBody
		resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
		require.NoError(t, err)
		require.True(t, resp.Body == http.NoBody)
		require.Equal(t, context.Canceled, base.contexts[1].Err())
	})
}

// TestWhatFollowsASwitchOfProtocols has all the time there is.
func TestWhatFollowsASwitchOfProtocols(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, base := scripted(t, engine.Config{}, 101)
		conn := struct {
			io.Writer
			io.ReadCloser
		}{io.Discard, base.responses[0].Body}
		base.responses[0].Body = conn
		resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
		require.NoError(t, err)
		time.Sleep(time.Hour)
		_, err = io.WriteString(resp.Body.(io.Writer), "to the server")
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, "text", string(text))
		require.NoError(t, base.contexts[0].Err(), "the end of one direction is not that of the other")
		require.ErrorIs(t, resp.Body.(interface{ CloseWrite() error }).CloseWrite(), http.ErrNotSupported)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, context.Canceled, base.contexts[0].Err())
	})
}

// TestWithoutATimeoutTheAttemptHasTheCallersContext, and the body is Base's.
func TestWithoutATimeoutTheAttemptHasTheCallersContext(t *testing.T) {
	tr, base := scripted(t, engine.Config{Retry: thrice}, 503, 200)
	tr.AttemptTimeout = 0
	req := newRequest(t, "GET", "http://h/", nil)
	resp, err := tr.RoundTrip(req)
	require.NoError(t, err)
	require.IsType(t, &contextBody{}, resp.Body)
	require.NoError(t, resp.Body.Close())
	require.True(t, base.contexts[0] == req.Context())
	require.Equal(t, 2, engine.AttemptOf(base.contexts[1]).Number)
	require.True(t, base.contexts[1].Done() == req.Context().Done())
}
