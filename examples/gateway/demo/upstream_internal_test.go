package demo

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// started are upstreams of which the sick one is in the given mood for ever.
func started(t *testing.T, m mood) *upstreams {
	t.Helper()
	s := tenSeconds()
	s.acts = []act{{0, m}}
	ups, err := openUpstreams(s, &loopback{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ups.close()) })
	return ups
}

// ask sends a request to an upstream.
func ask(ctx context.Context, t *testing.T, u *upstream) (*http.Response, error) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+u.address+"/", nil)
	require.NoError(t, err)
	resp, err := transport.RoundTrip(req)
	if err == nil {
		require.NoError(t, resp.Body.Close())
	}
	return resp, err
}

func TestUpstreamIsWellBeforeTheStart(t *testing.T) {
	ups := started(t, unavailable)
	for _, u := range ups.servers {
		resp, err := ask(t.Context(), t, u)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, u.route.name, resp.Header.Get(mark))
		require.Zero(t, u.seen.Load())
	}
}

func TestUpstreamUnavailable(t *testing.T) {
	ups := started(t, unavailable)
	ups.begin(time.Now())
	resp, err := ask(t.Context(), t, ups.servers[2])
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "1", resp.Header.Get("Retry-After"))
	require.Equal(t, "payments", resp.Header.Get(mark))
	require.EqualValues(t, 1, ups.servers[2].seenIll.Load())

	resp, err = ask(t.Context(), t, ups.servers[0])
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "the others are well")
	require.EqualValues(t, 1, ups.servers[0].seen.Load())
	require.Zero(t, ups.servers[0].seenIll.Load())
}

func TestUpstreamResets(t *testing.T) {
	ups := started(t, resetting)
	ups.begin(time.Now())
	_, err := ask(t.Context(), t, ups.servers[2])
	require.True(t, errors.Is(err, syscall.ECONNRESET), "%v", err)
}

func TestUpstreamHangsUntilTheCallerLeaves(t *testing.T) {
	ups := started(t, hanging)
	ups.begin(time.Now())
	ctx, cancel := context.WithTimeout(t.Context(), 50*ms)
	defer cancel()
	_, err := ask(ctx, t, ups.servers[2])
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// A caller that does not leave is cut off by close.
func TestUpstreamClosesWhileItHangs(t *testing.T) {
	ups := started(t, hanging)
	ups.begin(time.Now())
	written, failed := make(chan struct{}), make(chan error, 1)
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { close(written) },
	})
	go func() { // ends with close
		_, err := ask(ctx, t, ups.servers[2])
		failed <- err
	}()
	<-written
	require.NoError(t, ups.close())
	require.Error(t, <-failed)
}

func TestClassOf(t *testing.T) {
	for _, row := range []struct {
		name string
		code int
		mark string
		want class
	}{
		{"an answer", 200, "catalog", answered},
		{"over the limit", 429, "", limited},
		{"the breaker is open", 503, "", refused},
		{"a 503 of the upstream", 503, "payments", failed},
		{"no upstream in reach", 502, "", failed},
		{"the upstream took too long", 504, "", failed},
		{"unknown", 404, "", failed},
	} {
		t.Run(row.name, func(t *testing.T) {
			header := http.Header{}
			if row.mark != "" {
				header.Set(mark, row.mark)
			}
			require.Equal(t, row.want, classOf(&http.Response{StatusCode: row.code, Header: header}))
		})
	}
}
