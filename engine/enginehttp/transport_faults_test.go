package enginehttp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/retry"
)

// What a raw peer may do to a connection.
var (
	reset     = func(c *net.TCPConn) { readRequest(c); _ = c.SetLinger(0) }
	hangUp    = func(c *net.TCPConn) { readRequest(c) }
	halfHead  = func(c *net.TCPConn) { readRequest(c); say(c, "HTTP/1.1 200 OK\r\nContent-Le") }
	halfBody  = func(c *net.TCPConn) { readRequest(c); say(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234") }
	babble    = func(c *net.TCPConn) { readRequest(c); say(c, "220 mail.example ESMTP\r\n") }
	stall     = func(c *net.TCPConn) { untilGone(c) }
	stallBody = func(c *net.TCPConn) {
		readRequest(c)
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
		untilGone(c)
	}
	stallBusy = func(c *net.TCPConn) {
		readRequest(c)
		say(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 10\r\n\r\n01234")
		untilGone(c)
	}
	answer = func(c *net.TCPConn) {
		readRequest(c)
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	}
)

// readRequest reads a request that has no body.
func readRequest(c net.Conn) {
	var got []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(got), "\r\n\r\n"); got = append(got, b[0]) {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

func say(c net.Conn, text string) { _, _ = io.WriteString(c, text) }

// patience is how long an attempt at a server may take: long for those that do something, for the others long enough to reach them.
func patience(fault string) time.Duration {
	if strings.HasPrefix(fault, "stalls") {
		return 300 * time.Millisecond
	}
	return time.Minute
}

// bare is an http.Transport of the test's own.
func bare(t *testing.T) *http.Transport {
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	return base
}

func TestErrorsOfTheConnectionAreTriedAgain(t *testing.T) {
	for name, fault := range map[string]func(*net.TCPConn){
		"reset": reset, "hangs up": hangUp, "half a header": halfHead, "not HTTP": babble, "stalls": stall,
	} {
		t.Run(name, func(t *testing.T) {
			p := startRawPeer(t, fault, fault, answer)
			eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
			client := &http.Client{Transport: &enginehttp.Transport{Engine: eng, Base: bare(t), AttemptTimeout: patience(name)}}
			resp, err := client.Get(p.url)
			require.NoError(t, err)
			require.Equal(t, "ok", readAll(t, resp))
			require.EqualValues(t, 3, p.accepted.Load())
			require.Zero(t, failuresOf(t, eng, p.host), "forgiven by the success")

			resp, err = client.Post(p.url, "", nil) // served by the last script
			require.NoError(t, err)
			readAll(t, resp)
		})
	}
}

func TestARefusedConnectionIsTriedAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
	client := &http.Client{Transport: &enginehttp.Transport{Engine: eng, Base: bare(t)}}
	_, err = client.Get("http://" + l.Addr().String())
	var used *retry.ExhaustedError
	require.ErrorAs(t, err, &used)
	require.Equal(t, 3, used.Attempts)
	var op *net.OpError
	require.ErrorAs(t, err, &op)
	require.Equal(t, 3, failuresOf(t, eng, l.Addr().String()))
}

// TestAPostThatFailsIsSentOnce, however it fails.
func TestAPostThatFailsIsSentOnce(t *testing.T) {
	for name, fault := range map[string]func(*net.TCPConn){
		"reset": reset, "hangs up": hangUp, "half a header": halfHead, "not HTTP": babble, "stalls": stall, "half a body": halfBody,
		"stalls in the body": stallBody, "stalls when busy": stallBusy,
	} {
		t.Run(name, func(t *testing.T) {
			p := startRawPeer(t, fault)
			eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
			client := &http.Client{Transport: &enginehttp.Transport{
				Engine: eng, Base: bare(t), AttemptTimeout: patience(name),
				Retryable: func(*http.Request, *http.Response, error) bool { return true },
			}}
			resp, err := client.Post(p.url, "text/plain", nil)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				require.NoError(t, resp.Body.Close())
			}
			require.Error(t, err)
			require.EqualValues(t, 1, p.accepted.Load())
		})
	}
}

// TestABodyThatEndsEarlyIsTheCallersToSee: the attempt was over with its header.
func TestABodyThatEndsEarlyIsTheCallersToSee(t *testing.T) {
	p := startRawPeer(t, halfBody)
	eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
	client := &http.Client{Transport: &enginehttp.Transport{Engine: eng, Base: bare(t), AttemptTimeout: time.Minute}}
	resp, err := client.Get(p.url)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, "01234", string(body))
	require.NoError(t, resp.Body.Close())
	require.EqualValues(t, 1, p.accepted.Load())
}

// TestAnAttemptThatTakesTooLong is tried again, is a failure, and is seen to be a timeout through all that is wrapped around it.
func TestAnAttemptThatTakesTooLong(t *testing.T) {
	p := startRawPeer(t, stall)
	for _, attempts := range []int{1, 3} {
		eng := transportEngine(t, engine.Config{
			Retry: &retry.Policy{MaxAttempts: attempts, BaseDelay: time.Nanosecond}, Breaker: counting,
		})
		audit := &auditBase{RoundTripper: bare(t)}
		client := &http.Client{Transport: &enginehttp.Transport{Engine: eng, Base: audit, AttemptTimeout: 20 * time.Millisecond}}
		_, err := client.Get(p.url)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "attempt not done after 20ms")
		var outer *url.Error
		require.ErrorAs(t, err, &outer)
		require.True(t, outer.Timeout())
		require.EqualValues(t, attempts, audit.sent.Load())
		require.Equal(t, attempts, failuresOf(t, eng, p.host))
	}
}

func TestABodyThatTakesTooLong(t *testing.T) {
	p := startRawPeer(t, stallBody)
	eng := transportEngine(t, engine.Config{Retry: thrice})
	client := &http.Client{Transport: &enginehttp.Transport{Engine: eng, Base: bare(t), AttemptTimeout: 300 * time.Millisecond}}
	resp, err := client.Get(p.url)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "attempt not done after 300ms")
	require.Equal(t, "01234", string(body))
	require.NoError(t, resp.Body.Close())
}

// TestATimeoutOfTheClientBoundsAllAttempts, and is a failure of the server that did not answer.
func TestATimeoutOfTheClientBoundsAllAttempts(t *testing.T) {
	p := startRawPeer(t, stall)
	eng := transportEngine(t, engine.Config{Retry: &retry.Policy{MaxAttempts: 1000, BaseDelay: time.Nanosecond}, Breaker: counting})
	audit := &auditBase{RoundTripper: bare(t)}
	client := &http.Client{
		Transport: &enginehttp.Transport{Engine: eng, Base: audit, AttemptTimeout: 100 * time.Millisecond},
		Timeout:   250 * time.Millisecond,
	}
	_, err := client.Get(p.url)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	var outer *url.Error
	require.ErrorAs(t, err, &outer)
	require.True(t, outer.Timeout())
	require.LessOrEqual(t, audit.sent.Load(), int64(3))
	require.EqualValues(t, audit.sent.Load(), failuresOf(t, eng, p.host))
}

// TestAWithdrawnRequestIsNoFailure: Request.Cancel is what callers from before contexts have.
func TestAWithdrawnRequestIsNoFailure(t *testing.T) {
	cancel := make(chan struct{})
	p := startRawPeer(t, func(c *net.TCPConn) {
		readRequest(c)
		close(cancel)
		untilGone(c)
	})
	eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
	tr := &enginehttp.Transport{
		Engine: eng, Base: bare(t), Retryable: func(*http.Request, *http.Response, error) bool { return true },
	}
	req := newRequest(t, "GET", p.url, nil)
	req.Cancel = cancel //nolint:staticcheck // SA1019: what is tested
	_, err := tr.RoundTrip(req)
	require.Error(t, err)
	require.EqualValues(t, 1, p.accepted.Load())
	require.Zero(t, failuresOf(t, eng, p.host))
}

// TestErrorsThatAnotherAttemptWouldMeetAgain are not tried again, and come back as they are.
func TestErrorsThatAnotherAttemptWouldMeetAgain(t *testing.T) {
	u := newUpstream(func(_ int64, w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK) })
	u.Config.ErrorLog = quiet
	u.StartTLS()
	defer u.Close()
	plain := startUpstream(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK) })
	refusing := transportFunc(func(*http.Request) (*http.Response, error) {
		return nil, &engine.Rejection{Key: "inner", Err: engine.ErrQueueFull}
	})
	for _, c := range []struct {
		name, url string
		base      http.RoundTripper
		failures  int
		check     func(error) bool
	}{
		{"certificate", u.URL, bare(t), 1, isA[*tls.CertificateVerificationError]},
		{"no TLS", "https://" + plain.host(), bare(t), 1, func(err error) bool { return errors.Is(err, http.ErrSchemeMismatch) }},
		{"scheme", "gopher://" + plain.host(), bare(t), 0, func(err error) bool { return strings.Contains(err.Error(), "unsupported") }},
		{"rejection", "http://h/", refusing, 0, isA[*engine.Rejection]},
	} {
		t.Run(c.name, func(t *testing.T) {
			eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
			sent := 0
			client := &http.Client{Transport: &enginehttp.Transport{Engine: eng, Base: transportFunc(
				func(r *http.Request) (*http.Response, error) { sent++; return c.base.RoundTrip(r) })}}
			req := newRequest(t, "GET", c.url, nil)
			_, err := client.Do(req)
			require.True(t, c.check(err), "%v", err)
			require.Equal(t, 1, sent)
			s, _ := eng.Inspect(req.URL.Host)
			require.Equal(t, c.failures, s.Failures)
		})
	}
}

func isA[E error](err error) bool { _, ok := errors.AsType[E](err); return ok }
