package enginehttp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

func TestDefaultRetryableOfStatuses(t *testing.T) {
	req := newRequest(t, "GET", "http://h/", nil)
	var worth []int
	for status := 100; status < 1000; status++ {
		if enginehttp.DefaultRetryable(req, &http.Response{StatusCode: status}, nil) {
			worth = append(worth, status)
		}
	}
	require.Equal(t, []int{408, 429, 502, 503, 504}, worth)
}

func TestDefaultRetryableOfErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{syscall.ECONNRESET, true},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, true},
		{io.EOF, true},
		{io.ErrUnexpectedEOF, true},
		{errors.New("http: server closed idle connection"), true},
		{context.DeadlineExceeded, true}, // of an attempt: the caller's context lives
		{context.Canceled, true},         // likewise
		{&engine.Rejection{Err: engine.ErrKeyLimit}, false},
		{&tls.CertificateVerificationError{Err: io.EOF}, false},
		{tls.RecordHeaderError{}, false},
		{x509.UnknownAuthorityError{}, false},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}, false},
		{x509.CertificateInvalidError{}, false},
		{http.ErrSchemeMismatch, false},
	} {
		t.Run(fmt.Sprintf("%T", c.err), func(t *testing.T) {
			for _, scheme := range []string{"http", "https"} {
				req := newRequest(t, "GET", scheme+"://h/", nil)
				require.Equal(t, c.want, enginehttp.DefaultRetryable(req, nil, c.err))
				require.Equal(t, c.want, enginehttp.DefaultRetryable(req, nil, fmt.Errorf("wrapped: %w", c.err)))
			}
		})
	}
}

// TestDefaultRetryableOfRequests that nobody waits for, or that cannot be sent.
func TestDefaultRetryableOfRequests(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	withdrawn := make(chan struct{})
	close(withdrawn)
	u := &url.URL{Scheme: "http", Host: "h"}
	for name, req := range map[string]*http.Request{
		"cancelled":     (&http.Request{URL: u}).WithContext(ended),
		"late":          (&http.Request{URL: u}).WithContext(late),
		"withdrawn":     {URL: u, Cancel: withdrawn},
		"no URL":        {},
		"a file":        {URL: &url.URL{Scheme: "file", Path: "/etc/hosts"}},
		"no scheme":     {URL: &url.URL{Host: "h"}},
		"not lowercase": {URL: &url.URL{Scheme: "HTTP", Host: "h"}},
	} {
		require.False(t, enginehttp.DefaultRetryable(req, nil, io.EOF), name)
	}
	require.True(t, enginehttp.DefaultRetryable(&http.Request{URL: u}, nil, io.EOF))
}

func TestARetryableOfOnesOwn(t *testing.T) {
	u := startUpstream(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		status := http.StatusInternalServerError
		if r.URL.Path == "/not-yet" {
			status = http.StatusNotFound
		}
		respond(w, status)
	})
	eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
	client, tr := u.guarded(eng)
	asked := 0
	tr.Retryable = func(req *http.Request, resp *http.Response, err error) bool {
		asked++
		require.NoError(t, err)
		return resp.StatusCode == 500 || resp.StatusCode == 404 || enginehttp.DefaultRetryable(req, resp, err)
	}
	for _, c := range []struct {
		method, path            string
		asked, failures, status int
	}{
		{"GET", "/", 3, 3, 500}, {"GET", "/not-yet", 3, 0, 404}, {"POST", "/", 0, 1, 500},
	} {
		asked = 0
		eng.ResetAll()
		before := u.requests.Load()
		resp, err := client.Do(newRequest(t, c.method, u.URL+c.path, nil))
		require.NoError(t, err)
		readAll(t, resp)
		require.Equal(t, c.status, resp.StatusCode)
		require.Equal(t, c.asked, asked)
		require.EqualValues(t, max(1, c.asked), u.requests.Load()-before)
		require.Equal(t, c.failures, failuresOf(t, eng, u.host()))
	}
}
