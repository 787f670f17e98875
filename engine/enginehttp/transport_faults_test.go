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
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/retry"
)

// meet runs f with a peer that has these scripts. A peer that stalls is in memory and f runs in a
// bubble, so that an attempt has all of its time on any machine. Any other peer is on loopback.
func meet(t *testing.T, fault string, f func(t *testing.T, p *rawPeer), scripts ...func(net.Conn)) {
	if strings.HasPrefix(fault, "stalls") {
		synctest.Test(t, func(t *testing.T) { f(t, startPipePeer(t, scripts...)) })
		return
	}
	f(t, startRawPeer(t, scripts...))
}

// bare is an http.Transport of the test's own.
func bare(t *testing.T) *http.Transport {
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	return base
}

func TestErrorsOfTheConnectionAreTriedAgain(t *testing.T) {
	for name, fault := range map[string]func(net.Conn){
		"reset": reset, "hangs up": hangUp, "half a header": halfHead, "not HTTP": babble, "stalls": stall,
	} {
		t.Run(name, func(t *testing.T) {
			meet(t, name, func(t *testing.T, p *rawPeer) {
				eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
				client := &http.Client{Transport: &enginehttp.Transport{Engine: eng, Base: p.base, AttemptTimeout: time.Minute}}
				resp, err := client.Get(p.url)
				require.NoError(t, err)
				require.Equal(t, "ok", readAll(t, resp))
				require.EqualValues(t, 3, p.accepted.Load())
				require.Zero(t, failuresOf(t, eng, p.host), "forgiven by the success")

				resp, err = client.Post(p.url, "", nil) // served by the last script
				require.NoError(t, err)
				readAll(t, resp)
			}, fault, fault, answer)
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
	for name, fault := range map[string]func(net.Conn){
		"reset": reset, "hangs up": hangUp, "half a header": halfHead, "not HTTP": babble, "stalls": stall, "half a body": halfBody,
		"stalls in the body": stallBody, "stalls when busy": stallBusy,
	} {
		t.Run(name, func(t *testing.T) {
			meet(t, name, func(t *testing.T, p *rawPeer) {
				eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
				client := &http.Client{Transport: &enginehttp.Transport{
					Engine: eng, Base: p.base, AttemptTimeout: time.Minute,
					Retryable: func(*http.Request, *http.Response, error) bool { return true },
				}}
				resp, err := client.Post(p.url, "text/plain", nil)
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					require.NoError(t, resp.Body.Close())
				}
				require.Error(t, err)
				require.EqualValues(t, 1, p.accepted.Load())
			}, fault)
		})
	}
}

// TestABodyThatEndsEarlyIsTheCallersToSee: the attempt was over with its header.
func TestABodyThatEndsEarlyIsTheCallersToSee(t *testing.T) {
	p := startRawPeer(t, halfBody)
	eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
	client := &http.Client{Transport: &enginehttp.Transport{Engine: eng, Base: p.base, AttemptTimeout: time.Minute}}
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
	for _, attempts := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			p := startPipePeer(t, stall)
			eng := transportEngine(t, engine.Config{
				Retry: &retry.Policy{MaxAttempts: attempts, BaseDelay: time.Nanosecond, Jitter: retry.NoJitter}, Breaker: counting,
			})
			audit := &auditBase{RoundTripper: p.base}
			client := &http.Client{Transport: &enginehttp.Transport{Engine: eng, Base: audit, AttemptTimeout: 20 * time.Millisecond}}
			begun := time.Now()
			_, err := client.Get(p.url)
			require.Equal(t, time.Duration(attempts)*20*time.Millisecond, time.Since(begun).Truncate(time.Millisecond))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorContains(t, err, "attempt not done after 20ms")
			var outer *url.Error
			require.ErrorAs(t, err, &outer)
			require.True(t, outer.Timeout())
			require.EqualValues(t, attempts, audit.sent.Load())
			require.Equal(t, attempts, failuresOf(t, eng, p.host))
		})
	}
}

func TestABodyThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startPipePeer(t, stallBody)
		eng := transportEngine(t, engine.Config{Retry: thrice})
		client := &http.Client{Transport: &enginehttp.Transport{Engine: eng, Base: p.base, AttemptTimeout: 300 * time.Millisecond}}
		begun := time.Now()
		resp, err := client.Get(p.url)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.Equal(t, 300*time.Millisecond, time.Since(begun))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "attempt not done after 300ms")
		require.Equal(t, "01234", string(body))
		require.NoError(t, resp.Body.Close())
	})
}

// TestATimeoutOfTheClientBoundsAllAttempts, and is a failure of the server that did not answer.
func TestATimeoutOfTheClientBoundsAllAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startPipePeer(t, stall)
		eng := transportEngine(t, engine.Config{Retry: &retry.Policy{MaxAttempts: 1000, BaseDelay: time.Nanosecond}, Breaker: counting})
		audit := &auditBase{RoundTripper: p.base}
		client := &http.Client{
			Transport: &enginehttp.Transport{Engine: eng, Base: audit, AttemptTimeout: 100 * time.Millisecond},
			Timeout:   250 * time.Millisecond,
		}
		begun := time.Now()
		_, err := client.Get(p.url)
		require.Equal(t, 250*time.Millisecond, time.Since(begun))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var outer *url.Error
		require.ErrorAs(t, err, &outer)
		require.True(t, outer.Timeout())
		require.EqualValues(t, 3, audit.sent.Load())
		require.Equal(t, 3, failuresOf(t, eng, p.host))
	})
}

// TestAWithdrawnRequestIsNoFailure: Request.Cancel is what callers from before contexts have.
func TestAWithdrawnRequestIsNoFailure(t *testing.T) {
	cancel := make(chan struct{})
	p := startRawPeer(t, func(c net.Conn) {
		readRequest(c)
		close(cancel)
		untilGone(c)
	})
	eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
	tr := &enginehttp.Transport{
		Engine: eng, Base: p.base, Retryable: func(*http.Request, *http.Response, error) bool { return true },
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
