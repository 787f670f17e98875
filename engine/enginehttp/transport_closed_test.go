package enginehttp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// zeroes is a body of 64 MiB, which no connection holds while its peer does not read.
func zeroes() io.Reader { return io.LimitReader(zeros{}, 64<<20) }

// TestAnUpstreamThatDiesDuringAnUpload has failed, though the error is that of the connection that
// net/http itself has closed.
func TestAnUpstreamThatDiesDuringAnUpload(t *testing.T) {
	for name, die := range map[string]func(net.Conn){
		"ends":           func(conn net.Conn) { _ = conn.(*net.TCPConn).CloseWrite() },
		"answers rubble": func(conn net.Conn) { say(conn, "rubble\r\n\r\n") },
		"resets":         func(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0); _ = conn.Close() },
		"closes":         func(conn net.Conn) { _ = conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			over := make(chan struct{})
			p := startRawPeer(t, func(conn net.Conn) {
				_, _ = io.CopyN(io.Discard, conn, 100<<10)
				die(conn)
				<-over
			})
			defer close(over)
			eng := transportEngine(t, engine.Config{Breaker: &breaker.Policy{FailureThreshold: 3}})
			tr := &enginehttp.Transport{Engine: eng, Base: p.base}
			for range 3 {
				_, err := tr.RoundTrip(newRequest(t, "POST", p.url, zeroes()))
				require.Error(t, err)
				require.NotErrorIs(t, err, breaker.ErrOpen)
			}
			_, err := tr.RoundTrip(newRequest(t, "POST", p.url, zeroes()))
			require.ErrorIs(t, err, breaker.ErrOpen)
		})
	}
}

// TestAnUpstreamThatDiesDuringAnUploadInHTTP2 has failed, too.
func TestAnUpstreamThatDiesDuringAnUploadInHTTP2(t *testing.T) {
	type connKey struct{}
	u := newUpstream(func(_ int64, _ http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 100<<10)
		_ = r.Context().Value(connKey{}).(net.Conn).Close()
	})
	u.Config.ErrorLog = quiet
	u.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }
	u.EnableHTTP2 = true
	u.StartTLS()
	t.Cleanup(u.Close)
	eng := transportEngine(t, engine.Config{Breaker: counting})
	_, tr := u.guarded(eng)
	for n := range 3 {
		_, err := tr.RoundTrip(newRequest(t, "POST", u.URL, zeroes()))
		require.Error(t, err)
		require.Equal(t, n+1, failuresOf(t, eng, u.host()), "%v", err)
	}
}

// TestWhyAConnectionWasClosed: net/http closes the connection of a request that it cannot write.
// RoundTrip may then say that the connection is closed, and no more.
func TestWhyAConnectionWasClosed(t *testing.T) {
	closed := &net.OpError{Op: "read", Net: "tcp", Err: net.ErrClosed}
	mistake := errors.New("http: invalid Host header")
	for _, c := range []struct {
		name     string
		writes   []error // of the request, and of its repetitions by net/http
		failures int
	}{
		{"the caller's mistake", []error{mistake}, 0},
		{"the upstream's end", []error{closed}, 1},
		{"not known", nil, 1},
		{"after the whole request", []error{nil}, 1},
		{"the end, and then a mistake", []error{closed, mistake}, 0},
		{"a mistake, and then not", []error{mistake, nil}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			eng := transportEngine(t, engine.Config{Breaker: counting, Retry: thrice})
			tr := &enginehttp.Transport{Engine: eng, Base: transportFunc(func(r *http.Request) (*http.Response, error) {
				for _, err := range c.writes {
					httptrace.ContextClientTrace(r.Context()).WroteRequest(httptrace.WroteRequestInfo{Err: err})
				}
				return nil, closed
			})}
			req := newRequest(t, "POST", "http://h/", nil)
			req.Host = "a b"
			_, err := tr.RoundTrip(req)
			require.ErrorIs(t, err, net.ErrClosed)
			require.Equal(t, c.failures, failuresOf(t, eng, "h"))
		})
	}
}

// TestHooksOfAnAttemptThatIsOver: net/http may write while and after RoundTrip returns.
func TestHooksOfAnAttemptThatIsOver(t *testing.T) {
	eng := transportEngine(t, engine.Config{Breaker: counting, Retry: thrice})
	begun, over := make(chan *httptrace.ClientTrace, 3), make(chan struct{})
	go func() { // ends with begun
		defer close(over)
		for trace := range begun {
			trace.WroteRequest(httptrace.WroteRequestInfo{Err: net.ErrClosed})
			trace.WroteRequest(httptrace.WroteRequestInfo{})
		}
	}()
	tr := &enginehttp.Transport{Engine: eng, Base: transportFunc(func(r *http.Request) (*http.Response, error) {
		begun <- httptrace.ContextClientTrace(r.Context())
		return nil, net.ErrClosed
	})}
	_, err := tr.RoundTrip(newRequest(t, "GET", "http://a_b/", nil))
	require.ErrorIs(t, err, net.ErrClosed)
	close(begun)
	<-over
	require.Equal(t, 3, failuresOf(t, eng, "a_b"))
}
